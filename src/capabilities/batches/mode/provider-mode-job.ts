import type { SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import type { DeferredOutcome } from '../../../engine/calls/deferred-settler.ts';
import type { MeteredModels } from '../../../engine/calls/metered-models.ts';
import type { Publisher } from '../../../engine/pipeline/publisher.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { RequestOutcome } from '../provider/provider-batch-request.ts';
import type { DeferredCalls } from './deferred-calls.ts';
import { endOfRequest, withdrawn } from './end-of-request.ts';
import type { ProviderAccounts } from './provider-accounts.ts';
import type { ProviderModeSettings } from './provider-mode-settings.ts';
import { waitPrefix } from './provider-mode.ts';

export interface ProviderModeJobOptions {
  readonly calls: DeferredCalls;
  readonly models: Pick<MeteredModels, 'settleDeferred'>;
  readonly publisher: Pick<Publisher, 'notify' | 'drain'>;
  readonly settings: ProviderModeSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Rows of one statement or transaction. */
const sliceSize = 500;

/**
 * The maintenance role's part of calls in providers' batches: takes back what is not wanted there any more, sends what has waited long
 * enough, takes providers' batches on, and lets messages go on whose calls are settled. Each step asks the ledger what is so; whoever dies
 * between two of them leaves the rest to the next turn.
 */
export class ProviderModeJob {
  readonly #options: ProviderModeJobOptions;
  readonly #accounts: ProviderAccounts;
  /** What tells the metrics of settled calls, by the transaction's first: one that was undone is settled anew. */
  readonly #told = new Map<string, () => void>();

  constructor(
    options: ProviderModeJobOptions,
    /** Makes the accounts, whose driver settles through this. */
    accountsFor: (job: ProviderModeJob) => ProviderAccounts,
  ) {
    this.#options = options;
    this.#accounts = accountsFor(this);
  }

  get accounts(): ProviderAccounts {
    return this.#accounts;
  }

  /** One turn. True when there is more to do at once. */
  async turn(signal: AbortSignal): Promise<boolean> {
    const { calls } = this.#options;
    if (!(await calls.hasWork())) return false;
    await this.#recall();
    const hasMore = await this.#send(signal);
    await this.#advance(signal);
    await this.#release();
    return hasMore && !signal.aborted;
  }

  /** Settles what became of requests, in the transaction in which the driver marks them as settled. */
  async settle(transaction: SqlExecutor, outcomes: readonly RequestOutcome[]): Promise<void> {
    const { calls } = this.#options;
    const ends = new Map(outcomes.map((outcome) => [outcome.id, endOfRequest(outcome)]));
    await this.#settle(transaction, await calls.beginSettlement(transaction, ends));
  }

  async #settle(transaction: SqlExecutor, outcomes: readonly DeferredOutcome[]): Promise<void> {
    const [first] = outcomes;
    if (first === undefined) return;
    this.#told.set(first.callId, await this.#options.models.settleDeferred(transaction, outcomes));
  }

  /** Calls of batches that are over or whose deadline is near: those that wait are taken back, for those that are sent the end is asked for. */
  async #recall(): Promise<void> {
    const { calls, clock, settings } = this.#options;
    const now = clock.now();
    for (const batchId of await calls.recalledBatches(now, settings.onlineMs)) {
      while ((await this.#takeBack(batchId)) === sliceSize);
      for (const id of await calls.cancellableBatches(batchId)) {
        const { driver } = await this.#accounts.open();
        await driver.cancel(id, now);
      }
    }
    this.#tell();
  }

  async #takeBack(batchId: Uuid): Promise<number> {
    const { calls } = this.#options;
    return await calls.within(async (transaction) => {
      const outcomes = await calls.takeBack(transaction, batchId, { limit: sliceSize, end: withdrawn });
      await this.#settle(transaction, outcomes);
      return outcomes.length;
    });
  }

  /** What was taken before a crash is handed over first. What is of an account that is not configured (any more) waits until it is. */
  async #send(signal: AbortSignal): Promise<boolean> {
    const { calls, settings } = this.#options;
    const portion = { requests: settings.maxRequests, bytes: settings.maxBytes };
    const accounts = [...(await this.#accounts.open()).accounts.keys()];
    await this.#handOver(accounts, signal);
    let hasMore = false;
    for (const group of await calls.dueGroups(accounts, settings.gatherMs)) {
      if (signal.aborted) return true;
      const taken = await calls.take(group, portion);
      hasMore ||= taken.hasMore;
      if (taken.taken > 0) await this.#handOver(accounts, signal);
    }
    return hasMore;
  }

  async #handOver(accounts: readonly string[], signal: AbortSignal): Promise<void> {
    const { calls, clock, settings, logger } = this.#options;
    const portion = { requests: settings.maxRequests, bytes: settings.maxBytes };
    while (!signal.aborted) {
      const { account, requests } = await calls.readSending(accounts, portion);
      if (requests.length === 0) return;
      const { driver } = await this.#accounts.open();
      const batches = await driver.submit(account, requests, clock.now());
      await calls.markSent(batches);
      logger.info(
        { account, calls: requests.length, providerBatches: new Set(batches.values()).size },
        "calls are put into a provider's batch",
      );
    }
  }

  async #advance(signal: AbortSignal): Promise<void> {
    const { driver } = await this.#accounts.open();
    try {
      await driver.advance(this.#options.clock.now(), signal);
    } finally {
      this.#tell();
    }
  }

  async #release(): Promise<void> {
    const { calls, publisher } = this.#options;
    for (let hasMore = true; hasMore;) {
      const released = await calls.release(waitPrefix, sliceSize);
      for (const { stage, id } of released.released) publisher.notify(stage, id);
      await publisher.drain();
      ({ hasMore } = released);
    }
  }

  #tell(): void {
    for (const tell of this.#told.values()) tell();
    this.#told.clear();
  }
}
