import type { SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import { invariant } from '../../../kernel/invariant.ts';
import { type ProviderBatchAccount, limitsOf } from './provider-batch-account.ts';
import type { BatchEnding, ProviderBatchApi, SentBatch } from './provider-batch-api.ts';
import { type BatchMove, LeaseLostError, type ProviderBatchLedger } from './provider-batch-ledger.ts';
import { customIdOf, type RequestOutcome } from './provider-batch-request.ts';
import type { ProviderBatch } from './provider-batch-rows.ts';
import { afterLook, backoffMs, pollAfterMs, type ProviderBatchStep } from './provider-batch-state.ts';
import { failureOf, isBeyondCancelling } from './provider-failure.ts';
import { readResults, restOf } from './read-results.ts';
import { findingsOf } from './result-findings.ts';
import { enqueuedLimitOf } from './split-requests.ts';

/** Times of the driver, in milliseconds. */
export interface ProviderBatchTimes {
  /** Between two looks at a batch, at least; one that runs long is looked at less often. */
  readonly pollMs: number;
  /** From the beginning of a step until its request is over for certain and what came of it is listed by the provider. */
  readonly quietMs: number;
  /** How often results that lack requests are read before these are missing. */
  readonly collections: number;
}

/**
 * Writes what became of requests into the transaction in which they are marked as settled. May be asked for the same again when that
 * transaction was undone, never when it was committed. What it answers is called when it was committed.
 */
export type SettleOutcomes = (
  transaction: SqlExecutor,
  batch: ProviderBatch,
  outcomes: readonly RequestOutcome[],
) => Promise<() => void>;

/** An account with the way to its provider. */
export interface OpenAccount {
  readonly account: ProviderBatchAccount;
  readonly api: ProviderBatchApi;
  /** The provider is not configured: whatever asks it fails with NotConfiguredError. */
  readonly isAbsent?: boolean;
}

/** What steps work with. */
export interface StepParts {
  readonly ledger: ProviderBatchLedger;
  readonly settle: SettleOutcomes;
  readonly times: ProviderBatchTimes;
}

/**
 * The single steps. Each takes a batch whose lease is held and answers it as it is afterwards. Whether a step succeeded, was refused
 * or is unclear, it is written down; what cannot be written down is thrown, and the lease runs out.
 */
export class ProviderBatchSteps {
  readonly #ledger: ProviderBatchLedger;
  readonly #settle: SettleOutcomes;
  readonly #times: ProviderBatchTimes;

  constructor({ ledger, settle, times }: StepParts) {
    this.#ledger = ledger;
    this.#settle = settle;
    this.#times = times;
  }

  async take(
    step: Exclude<ProviderBatchStep, 'none'>,
    batch: ProviderBatch,
    open: OpenAccount,
    now: Date,
    signal?: AbortSignal,
  ): Promise<ProviderBatch> {
    switch (step) {
      case 'upload':
        return await this.#upload(batch, open, now);
      case 'look-for-upload':
        return await this.#reading(batch, now, () => this.#lookForUpload(batch, open, now));
      case 'create':
        return await this.#create(batch, open, now);
      case 'look-for-batch':
        return await this.#reading(batch, now, () => this.#lookForBatch(batch, open, now));
      case 'end-unsent':
        return await this.#end(batch, { how: 'cancelled', resultIds: [] }, now);
      case 'cancel':
        return await this.#reading(batch, now, () => this.#cancel(batch, open, now));
      case 'poll':
        return await this.#reading(batch, now, () => this.#poll(batch, open, now));
      case 'collect':
        return await this.#reading(batch, now, () => this.#collect(batch, open, now, signal));
      case 'settle':
        return await this.#reading(batch, now, () => this.#settleAll(batch, now, signal));
      case 'remove-files':
        return await this.#reading(batch, now, () => this.#removeFiles(batch, open, now));
    }
  }

  async #upload(planned: ProviderBatch, { api }: OpenAccount, now: Date): Promise<ProviderBatch> {
    const batch = await this.#ledger.move(planned, {
      state: 'uploading',
      nextAt: now,
      isReturned: false,
      stepBeganAt: now,
      attempts: planned.attempts,
      hindered: 'kept',
    });
    let fileId: string;
    try {
      fileId = await api.upload(this.#sent(batch));
    } catch (error) {
      return await this.#unsent(batch, 'planned', error, now);
    }
    return await this.#ledger.move(batch, { state: 'uploaded', nextAt: now, isReturned: false, fileId });
  }

  /** A file costs nothing: when none is listed, it is uploaded again, and whatever is there of it is removed at the end. */
  async #lookForUpload(batch: ProviderBatch, { api }: OpenAccount, now: Date): Promise<ProviderBatch> {
    const beganAt = batch.stepBeganAt ?? batch.plannedAt;
    const [fileId] = await api.findUploads({ id: batch.id, beganAt });
    if (fileId !== undefined) {
      return await this.#ledger.move(batch, { state: 'uploaded', nextAt: now, isReturned: false, fileId });
    }
    return await this.#ledger.move(batch, {
      state: 'planned',
      nextAt: now,
      isReturned: false,
      hindered: 'kept',
    });
  }

  async #create(ready: ProviderBatch, { account, api }: OpenAccount, now: Date): Promise<ProviderBatch> {
    const limit = enqueuedLimitOf(limitsOf(account), ready.model);
    const batch = await this.#ledger.beginCreation(ready, limit, now);
    if (batch === undefined) {
      return await this.#wait(ready, now, this.#times.pollMs, {
        lastError:
          'It waits for batches of its model to end: their tokens are up to the limit (enqueued_tokens).',
      });
    }
    let providerId: string;
    try {
      providerId = await api.create(this.#sent(batch));
    } catch (error) {
      return await this.#unsent(batch, stateBeforeCreation(batch), error, now);
    }
    return await this.#run(batch, providerId, now);
  }

  async #lookForBatch(batch: ProviderBatch, { api }: OpenAccount, now: Date): Promise<ProviderBatch> {
    const { id, requests } = batch;
    const beganAt = batch.stepBeganAt ?? batch.plannedAt;
    const isOther = (providerId: string): Promise<boolean> => this.#ledger.isOther(batch, providerId);
    const found = await api.find({ id, requests, beganAt, isOther });
    const decision = afterLook(found, { beganAt, now, ...this.#times });
    switch (decision.kind) {
      case 'take-over':
        return await this.#run(batch, decision.providerId, now);
      case 'send':
        return await this.#ledger.move(batch, {
          state: stateBeforeCreation(batch),
          nextAt: now,
          isReturned: false,
          hindered: 'kept',
        });
      case 'look-again':
        return await this.#ledger.move(batch, {
          state: 'creating',
          nextAt: decision.at,
          isReturned: true,
          stepBeganAt: beganAt,
          attempts: batch.attempts,
          lastError: batch.lastError,
          hindered: 'kept',
        });
      case 'unresolved':
        return await this.#ledger.move(batch, {
          state: 'unresolved',
          nextAt: now,
          isReturned: true,
          stepBeganAt: beganAt,
          lastError: batch.lastError,
          unresolved: decision.reason,
        });
    }
  }

  async #run(batch: ProviderBatch, providerId: string, now: Date): Promise<ProviderBatch> {
    return await this.#ledger.move(batch, {
      state: 'running',
      nextAt: new Date(now.getTime() + this.#times.pollMs),
      isReturned: true,
      providerId,
      createdAt: now,
    });
  }

  async #cancel(batch: ProviderBatch, { api }: OpenAccount, now: Date): Promise<ProviderBatch> {
    try {
      await api.cancel(providerIdOf(batch));
    } catch (error) {
      // It has ended, or is not known: the next look says so.
      if (!isBeyondCancelling(error)) throw error;
    }
    return await this.#ledger.move(batch, {
      state: 'running',
      nextAt: now,
      isReturned: false,
      cancelSentAt: now,
    });
  }

  async #poll(batch: ProviderBatch, { api }: OpenAccount, now: Date): Promise<ProviderBatch> {
    const view = await api.read(providerIdOf(batch));
    switch (view.kind) {
      case 'running': {
        const runsMs = now.getTime() - (batch.createdAt ?? now).getTime();
        return await this.#wait(batch, now, pollAfterMs(runsMs, this.#times.pollMs), {});
      }
      case 'ended':
        return await this.#end(batch, view.ending, now);
      case 'gone':
        return await this.#ledger.move(batch, {
          state: 'unresolved',
          nextAt: now,
          isReturned: true,
          unresolved: 'gone',
        });
    }
  }

  async #end(batch: ProviderBatch, ending: BatchEnding, now: Date): Promise<ProviderBatch> {
    return await this.#ledger.move(batch, { state: 'ended', nextAt: now, isReturned: false, ending });
  }

  /**
   * Reads all results, from the start after a crash: a request that has an outcome keeps it. Results that lack requests of a batch
   * that was carried out, if only in part, are asked for again some times, with what the provider says then.
   */
  async #collect(
    batch: ProviderBatch,
    { api }: OpenAccount,
    now: Date,
    signal: AbortSignal | undefined,
  ): Promise<ProviderBatch> {
    const { ending = { how: 'given_up', resultIds: [] } } = batch;
    const oddLines = await readResults(this.#ledger, batch, { api, ending, signal });
    const isSent = batch.providerId !== undefined;
    const isReadable = isSent && ending.how !== 'failed' && ending.how !== 'given_up';
    const open = isReadable ? await this.#ledger.countOpen(batch.id) : 0;
    const readings = batch.readings + 1;
    if (open > 0 && readings < this.#times.collections) {
      const view = await api.read(providerIdOf(batch));
      return await this.#wait(batch, now, this.#times.pollMs, {
        readings,
        lastError: `Results of ${open} requests are missing.`,
        ...(view.kind === 'ended' && { ending: view.ending }),
      });
    }
    return await this.#ledger.endCollection(batch, restOf(ending, { isSent }), (sums) => ({
      state: 'collected',
      nextAt: now,
      isReturned: false,
      findings: findingsOf(sums, ending, oddLines),
    }));
  }

  /** When the signal aborts, what is settled so far stays; whoever goes on settles the rest. */
  async #settleAll(batch: ProviderBatch, now: Date, signal: AbortSignal | undefined): Promise<ProviderBatch> {
    let settled: number;
    do {
      if (signal?.aborted === true) {
        return await this.#ledger.move(batch, {
          state: 'collected',
          nextAt: now,
          isReturned: false,
          hindered: 'kept',
        });
      }
      settled = await this.#ledger.settleNext(
        batch,
        async (transaction, outcomes) => await this.#settle(transaction, batch, outcomes),
      );
    } while (settled > 0);
    return await this.#ledger.move(batch, { state: 'settled', nextAt: now, isReturned: false });
  }

  /** What lacks requests stays at the provider, which removes it itself after a month: it may be asked about. */
  async #removeFiles(
    batch: ProviderBatch,
    { api, isAbsent = false }: OpenAccount,
    now: Date,
  ): Promise<ProviderBatch> {
    const isWhole = (batch.findings?.requests.missing ?? 0) === 0;
    const isKnown = batch.fileId !== undefined || batch.providerId !== undefined;
    // Nobody can be asked about files of what never came to its provider, or is to be asked about what was given up.
    if (isWhole && (isKnown || !isAbsent) && batch.ending?.how !== 'given_up') {
      const uploads = await api.findUploads({ id: batch.id, beganAt: batch.plannedAt });
      const { ending, fileId } = batch;
      const ids = new Set([
        ...(ending?.resultIds ?? []),
        ...(fileId === undefined ? [] : [fileId]),
        ...uploads,
      ]);
      for (const id of ids) {
        await this.#ledger.renew(batch);
        await api.remove(id);
      }
    }
    return await this.#ledger.move(batch, { state: 'closed', nextAt: now, isReturned: true, closedAt: now });
  }

  /** After a request that was to change something failed: it was refused, is tried later, or has to be looked for. */
  async #unsent(
    batch: ProviderBatch,
    before: 'planned' | 'uploaded',
    error: unknown,
    now: Date,
  ): Promise<ProviderBatch> {
    if (error instanceof LeaseLostError) throw error;
    const { kind, code, message } = failureOf(error);
    if (kind === 'refused') {
      return await this.#end(batch, { how: 'failed', resultIds: [], problem: { code, message } }, now);
    }
    const state = kind === 'not-now' ? before : batch.state;
    return await this.#hindered(batch, now, { state, code, message });
  }

  /** A step that may be taken any number of times: when it fails it is tried again later. */
  async #reading(batch: ProviderBatch, now: Date, act: () => Promise<ProviderBatch>): Promise<ProviderBatch> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof LeaseLostError) throw error;
      const { code, message } = failureOf(error);
      return await this.#hindered(batch, now, { state: batch.state, code, message });
    }
  }

  /** Tried again later: after longer each time, but soon after a provider is configured again. */
  async #hindered(
    batch: ProviderBatch,
    now: Date,
    {
      state,
      code,
      message,
    }: { readonly state: ProviderBatch['state']; readonly code: string; readonly message: string },
  ): Promise<ProviderBatch> {
    const isCounted = code !== 'not_configured';
    const attempts = isCounted ? batch.attempts + 1 : batch.attempts;
    const { pollMs } = this.#times;
    return await this.#wait(batch, now, isCounted ? backoffMs(attempts, pollMs) : pollMs, {
      state,
      attempts,
      lastError: `${code}: ${message}`,
      stepBeganAt: batch.stepBeganAt,
      hindered: 'yes',
    });
  }

  async #wait(
    batch: ProviderBatch,
    now: Date,
    waitMs: number,
    move: Partial<BatchMove>,
  ): Promise<ProviderBatch> {
    const nextAt = new Date(now.getTime() + waitMs);
    return await this.#ledger.move(batch, { state: batch.state, nextAt, isReturned: true, ...move });
  }

  #sent({ id, endpoint, requests, fileId }: ProviderBatch): SentBatch {
    const ledger = this.#ledger;
    async function* read(): ReturnType<SentBatch['read']> {
      for await (const { place, body } of ledger.readRequests(id)) {
        yield { customId: customIdOf(id, place), endpoint, body };
      }
    }
    return { id, endpoint, requests, fileId, read };
  }
}

function stateBeforeCreation({ fileId }: ProviderBatch): 'planned' | 'uploaded' {
  return fileId === undefined ? 'planned' : 'uploaded';
}

function providerIdOf({ id, providerId }: ProviderBatch): string {
  invariant(providerId !== undefined, `provider batch ${id} is known by its provider`);
  return providerId;
}
