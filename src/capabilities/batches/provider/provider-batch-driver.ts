import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { newId, type Uuid } from '../../../kernel/ids.ts';
import { absentAccount } from './absent-account.ts';
import { defaultRequestTimeoutMs, limitsOf, smallestLimits } from './provider-batch-account.ts';
import { LeaseLostError, ProviderBatchLedger, type ResolvedBy } from './provider-batch-ledger.ts';
import type { ProviderBatchRequest, RequestOutcome } from './provider-batch-request.ts';
import type { ProviderBatch } from './provider-batch-rows.ts';
import { nextStep } from './provider-batch-state.ts';
import {
  type OpenAccount,
  ProviderBatchSteps,
  type ProviderBatchTimes,
  type SettleOutcomes,
} from './provider-batch-steps.ts';
import { splitRequests } from './split-requests.ts';

export interface ProviderBatchDriverOptions {
  readonly database: SqlDatabase;
  readonly accounts: readonly OpenAccount[];
  readonly settle: SettleOutcomes;
  readonly times?: Partial<ProviderBatchTimes>;
}

const defaultTimes: ProviderBatchTimes = {
  pollMs: 60_000,
  // Twice what a request may take, and time for the provider's lists.
  quietMs: 2 * defaultRequestTimeoutMs + 5 * 60_000,
  collections: 3,
};

/** A lease outlasts the longest request, with room for the writes around it. */
const spareLeaseMs = 5 * 60_000;

/** An operator's decision about a batch that cannot go on by itself. */
export type Resolution =
  /** It is this one at the provider. */
  | { readonly kind: 'take-over'; readonly providerId: string }
  /** It is not at the provider: it is sent again, and paid again if that is not so. */
  | { readonly kind: 'send-again' }
  /** Its requests count as missing. */
  | { readonly kind: 'give-up' };

/**
 * Runs requests in providers' batches: plans them, and takes each to its end step by step, however often the process dies and
 * however many processes do the same. A batch is sent once; every request ends in exactly one of succeeded, failed, expired,
 * cancelled, missing.
 */
export class ProviderBatchDriver {
  readonly #ledger: ProviderBatchLedger;
  readonly #steps: ProviderBatchSteps;
  readonly #accounts: ReadonlyMap<string, OpenAccount>;

  constructor({ database, accounts, settle, times }: ProviderBatchDriverOptions) {
    const timeouts = accounts.map(({ account }) => account.requestTimeoutMs ?? defaultRequestTimeoutMs);
    this.#ledger = new ProviderBatchLedger(database, Math.max(0, ...timeouts) + spareLeaseMs);
    this.#steps = new ProviderBatchSteps({
      ledger: this.#ledger,
      settle,
      times: { ...defaultTimes, ...times },
    });
    this.#accounts = new Map(accounts.map((open) => [open.account.name, open]));
  }

  /**
   * Puts requests into batches of the account, divided by endpoint, model and the provider's limits. A request that was submitted
   * before, or is by somebody else at this moment, stays where it is. What is of an account that is not configured waits until it is.
   * Answers the batch of each request by its id.
   */
  async submit(
    accountName: string,
    requests: readonly ProviderBatchRequest[],
    now: Date,
  ): Promise<ReadonlyMap<string, Uuid>> {
    const open = this.#accounts.get(accountName);
    const limits = open === undefined ? smallestLimits : limitsOf(open.account);
    const byId = new Map(requests.map((request) => [request.id, request]));
    for (let knownBefore = -1; ;) {
      const known = await this.#ledger.batchesOf([...byId.keys()]);
      if (known.size === byId.size) return known;
      const fresh = [...byId.values()].filter(({ id }) => !known.has(id));
      const planned = splitRequests(accountName, fresh, limits, now);
      try {
        await this.#ledger.plan(accountName, planned, now);
      } catch (error) {
        // Refused because another submission was faster with one of them, which shows at the next look, or for a reason that stays.
        if (known.size === knownBefore) throw error;
      }
      knownBefore = known.size;
    }
  }

  /**
   * Takes every batch that is due as far as it goes now. Answers when the next one is due; undefined when none is under way. When the
   * signal aborts it resolves after the step under way, which is one request at most.
   */
  async advance(now: Date, signal?: AbortSignal): Promise<Date | undefined> {
    for (;;) {
      const claimed = signal?.aborted === true ? undefined : await this.#ledger.claim(now);
      if (claimed === undefined) break;
      await this.#advanceOne(claimed, now, signal);
    }
    return await this.#ledger.nextDue();
  }

  async #advanceOne(claimed: ProviderBatch, now: Date, signal: AbortSignal | undefined): Promise<void> {
    // Whoever has the account configured goes on, or the next start. What asks no provider is done meanwhile.
    const open = this.#accounts.get(claimed.account) ?? absentAccount(claimed);
    try {
      for (let batch = claimed; ;) {
        const step = nextStep({
          state: batch.state,
          hasFiles: open.api.hasFiles,
          isCancelRequested: batch.cancelRequestedAt !== undefined,
          isCancelSent: batch.cancelSentAt !== undefined,
        });
        if (step === 'none') return;
        batch = await this.#steps.take(step, batch, open, now, signal);
        if (batch.nextAt > now) return;
        if (signal?.aborted === true) {
          await this.#return(batch, now, batch.lastError);
          return;
        }
      }
    } catch (error) {
      // Another process goes on with it.
      if (!(error instanceof LeaseLostError)) throw error;
    }
  }

  /** Lets others have the batch, as it is, from that time on. */
  async #return(batch: ProviderBatch, nextAt: Date, lastError: string | undefined): Promise<void> {
    const { state, attempts, stepBeganAt } = batch;
    await this.#ledger.move(batch, {
      state,
      attempts,
      stepBeganAt,
      nextAt,
      isReturned: true,
      lastError,
      hindered: 'kept',
    });
  }

  /** What became of the batch's requests, in the order in which they were submitted; whole once it is `collected`. */
  results(batchId: Uuid): AsyncIterable<RequestOutcome> {
    return this.#ledger.outcomes(batchId);
  }

  /** The batch, or undefined when there is none. */
  async find(batchId: Uuid): Promise<ProviderBatch | undefined> {
    return await this.#ledger.find(batchId);
  }

  /** Has the batch end early: what was not sent is not sent, what is done is kept. Says whether it had not ended. */
  async cancel(batchId: Uuid, now: Date): Promise<boolean> {
    return await this.#ledger.requestCancel(batchId, now);
  }

  /** Goes on with an unresolved batch as an operator decides, which the audit keeps. Undefined when it is not unresolved. */
  async resolve(
    batchId: Uuid,
    resolution: Resolution,
    by: ResolvedBy,
    now: Date,
  ): Promise<ProviderBatch | undefined> {
    const audit = { ...by, id: newId(now), detail: resolution };
    switch (resolution.kind) {
      case 'take-over':
        return await this.#ledger.resolve(
          batchId,
          { state: 'running', providerId: resolution.providerId },
          audit,
          now,
        );
      case 'send-again':
        return await this.#ledger.resolve(batchId, {}, audit, now);
      case 'give-up': {
        const ending = { how: 'given_up', resultIds: [] } as const;
        return await this.#ledger.resolve(batchId, { state: 'ended', ending }, audit, now);
      }
    }
  }

  /** Forgets batches that were closed before, with the bodies and results of their requests. Answers how many, `limit` at most. */
  async forget(before: Date, limit: number): Promise<number> {
    return await this.#ledger.forget(before, limit);
  }
}
