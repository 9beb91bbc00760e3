import type {
  CallDeferral,
  DeferrableRequest,
  DeferredRequest,
  DeferredWait,
  RequestCourse,
} from '../../../engine/calls/call-deferral.ts';
import type { DeferredFailure } from '../../../engine/calls/call-journal.ts';
import type { ProviderRegistry } from '../../../engine/providers/provider-registry.ts';
import type { RenderedRequest } from '../../../engine/providers/provider-exchange.ts';
import type { ParkedOptions } from '../../../engine/parked.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { invariant } from '../../../kernel/invariant.ts';
import type { Usd } from '../../../kernel/money.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { limitsOf } from '../provider/provider-batch-account.ts';
import type { BatchEndpoint } from '../provider/provider-batch-request.ts';
import type { OpenAccount } from '../provider/provider-batch-steps.ts';
import type { BatchModes, ModedBatch } from './batch-modes.ts';
import type { DeferredCalls } from './deferred-calls.ts';
import {
  beginsNothing,
  type CallMode,
  chooseMode,
  comesAgain,
  goesIntoBatch,
  type ModeChoice,
} from './mode-choice.ts';
import type { ProviderAccounts } from './provider-accounts.ts';
import type { ProviderModeSettings } from './provider-mode-settings.ts';

export interface ProviderModeOptions {
  readonly modes: BatchModes;
  readonly calls: DeferredCalls;
  readonly accounts: ProviderAccounts;
  readonly providers: Pick<ProviderRegistry, 'priceProviderOf'>;
  readonly pricer: Pick<Pricer, 'upperBound'>;
  readonly settings: ProviderModeSettings;
  /** Whether answers are kept: a call in a provider's batch is answered from what is kept. */
  readonly keepsAnswers: boolean;
  readonly clock: Clock;
}

/** Why messages wait, and what the names begin with of what they wait for. */
export const parkReason = 'provider_batch';
export const waitPrefix = `${parkReason}:`;

/** How long the end of a batch may take. */
const endsWithinMs = 30_000;

/** Prices are compared for so many tokens in and out. */
const comparedTokens = 1_000_000;

/** What stands around a body in a provider's file. */
const spareBytes = 1024;

/** Decides how the calls of batches are made: at once, in a cheaper tier, or in a provider's batch. */
export class ProviderMode implements CallDeferral {
  readonly #options: ProviderModeOptions;

  constructor(options: ProviderModeOptions) {
    this.#options = options;
  }

  async courseOf(request: DeferrableRequest): Promise<RequestCourse> {
    const { modes, settings, clock } = this.#options;
    const { origin, rootId, tier, deferrals, lastFailure } = request;
    // A request that asks for a tier itself is made as it asks.
    if (origin.batch === undefined || tier !== 'default') return { kind: 'now' };
    // What was taken back was so for what the batch has become by then.
    const batch = await modes.find(rootId, { isAsOfNow: lastFailure?.kind === 'aborted' });
    if (batch === undefined || batch.mode === 'online') return { kind: 'now' };
    if (lastFailure !== undefined && comesAgain(lastFailure.kind)) {
      return { kind: 'refused', failure: lastFailure.kind, message: await this.#toldOf(lastFailure) };
    }
    if (beginsNothing(batch, clock.now())) return { kind: 'parked', ...aboutToEnd(batch) };
    // What it has at the provider is taken back.
    if (batch.state === 'cancelled' || batch.state === 'expired') return { kind: 'now' };
    const account = await this.#accountFor(batch, request.provider);
    const { mode } = await this.#choose(batch, request, account);
    if (mode === 'flex') return { kind: 'tier', tier: 'flex' };
    if (mode === 'online' || account === undefined) return { kind: 'now' };
    const { rounds, onlineMs } = settings;
    const { deadline } = batch;
    if (!goesIntoBatch({ deferrals, rounds, deadline, now: clock.now(), onlineMs })) return { kind: 'now' };
    return {
      kind: 'deferred',
      wait: waitFor(batch.id),
      keep: (deferred) => this.#keep(batch, account, deferred),
    };
  }

  async waitOf(messageId: Uuid): Promise<DeferredWait> {
    const id = await this.#options.calls.batchOf(messageId);
    invariant(id !== undefined, `the calls of message ${messageId} that are put off are kept`);
    return waitFor(id);
  }

  /** What the provider said, as long as that is kept. */
  async #toldOf({ callId, kind }: DeferredFailure): Promise<string> {
    const told = await this.#options.calls.refusalOf(callId);
    return told ?? `The provider refused the request in a batch (${kind}).`;
  }

  async #accountFor({ mode }: ModedBatch, provider: string): Promise<OpenAccount | undefined> {
    const { accounts, keepsAnswers } = this.#options;
    return mode === 'flex' || !keepsAnswers ? undefined : await accounts.find(provider);
  }

  async #choose(
    { id, mode, beganAt, deadline }: ModedBatch,
    { provider, model, kind }: DeferrableRequest,
    account: OpenAccount | undefined,
  ): Promise<ModeChoice> {
    const { modes, settings } = this.#options;
    const { windowMs, onlineMs } = settings;
    const prices = this.#prices(provider, model);
    const choice = chooseMode({
      mode,
      beganAt,
      deadline,
      hasBatches: account !== undefined,
      // A tier without a price is one that the model does not have.
      hasFlex: kind === 'openai' && prices.flex !== undefined,
      prices,
      windowMs,
      onlineMs,
    });
    await modes.note(id, `${provider}/${model}`, choice);
    return choice;
  }

  #prices(provider: string, model: string): Readonly<Record<CallMode, Usd | undefined>> {
    const { pricer, providers, clock } = this.#options;
    const asked = { provider: providers.priceProviderOf(provider), model, at: clock.now() };
    const priceOf = (tier: string, batch: boolean): Usd | undefined =>
      pricer.upperBound({ ...asked, tier, batch }, comparedTokens, comparedTokens);
    return {
      online: priceOf('default', false),
      flex: priceOf('flex', false),
      provider: priceOf('default', true),
    };
  }

  async #keep({ id }: ModedBatch, { account }: OpenAccount, deferred: DeferredRequest): Promise<boolean> {
    const { callId, messageId, provider, model, request, bounds, inputTokens } = deferred;
    const endpoint = endpointOf(request);
    if (endpoint === undefined || asksForMore(request)) return false;
    if (Buffer.byteLength(request.body) + spareBytes > limitsOf(account).maxBytes) return false;
    await this.#options.calls.keep({
      callId,
      messageId,
      batchId: id,
      account: provider,
      model,
      endpoint,
      body: request.body,
      inputTokens,
      bounds,
    });
    return true;
  }
}

/** It is looked at again, should its end not come: the deadline may be put off. */
function aboutToEnd({ id, state }: ModedBatch): { readonly message: string; readonly wait: ParkedOptions } {
  return {
    message: `The batch ${state === 'cancelling' ? 'is being cancelled' : 'is past its deadline'}: no call of it is begun.`,
    wait: { reason: parkReason, about: id, delayMs: endsWithinMs },
  };
}

/** One name for a whole batch: what messages wait for is looked through by its names. */
function waitFor(id: string): DeferredWait {
  return { reason: parkReason, about: id, parkedFor: `${waitPrefix}${id}` };
}

const endpoints: Readonly<Record<string, BatchEndpoint>> = {
  '/responses': '/v1/responses',
  '/chat/completions': '/v1/chat/completions',
  '/messages': '/v1/messages',
};

/** Whatever address the provider is reached at. */
function endpointOf({ path }: RenderedRequest): BatchEndpoint | undefined {
  const found = Object.entries(endpoints).find(([ending]) => path.endsWith(ending));
  return found?.[1];
}

/** Whether its headers say what the answer depends on: a batch has none of its own for each request. */
function asksForMore({ headers }: RenderedRequest): boolean {
  return headers['anthropic-beta'] !== undefined || headers['openai-beta'] !== undefined;
}
