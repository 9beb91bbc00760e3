import type { SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import type { DeferredEnd, DeferredOutcome } from '../../../engine/calls/deferred-settler.ts';
import type { MeteredModels } from '../../../engine/calls/metered-models.ts';
import type { Publisher } from '../../../engine/pipeline/publisher.ts';
import type { Clock } from '../../../kernel/clock.ts';
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

  /**
   * Settles what became of requests, in the transaction in which the driver marks them as settled. Answers what tells the metrics of them, once
   * that is committed.
   */
  async settle(transaction: SqlExecutor, outcomes: readonly RequestOutcome[]): Promise<() => void> {
    const { calls, models } = this.#options;
    const ends = new Map(outcomes.map((outcome) => [outcome.id, endOfRequest(outcome)]));
    const open = await calls.beginSettlement(transaction, ends);
    return open.length === 0 ? () => undefined : await models.settleDeferred(transaction, open);
  }

  /** Calls of batches that are over or whose deadline is near: those that wait are taken back, for those that are sent the end is asked for. */
  async #recall(): Promise<void> {
    const { calls, clock, settings } = this.#options;
    const now = clock.now();
    for (const batchId of await calls.recalledBatches(now, settings.onlineMs)) {
      await this.#takeBack((transaction, portion) => calls.takeBack(transaction, batchId, portion));
      for (const id of await calls.cancellableBatches(batchId)) {
        const { driver } = await this.#accounts.open();
        await driver.cancel(id, now);
      }
    }
  }

  /** Settles as withdrawn what is chosen, slice by slice. */
  async #takeBack(
    choose: (
      transaction: SqlExecutor,
      portion: { readonly limit: number; readonly end: DeferredEnd },
    ) => Promise<readonly DeferredOutcome[]>,
  ): Promise<void> {
    const { calls, models } = this.#options;
    for (let taken = sliceSize; taken === sliceSize;) {
      const settled = await calls.within(async (transaction) => {
        const outcomes = await choose(transaction, { limit: sliceSize, end: withdrawn });
        if (outcomes.length === 0) return { taken: 0 };
        return { taken: outcomes.length, tell: await models.settleDeferred(transaction, outcomes) };
      });
      ({ taken } = settled);
      settled.tell?.();
    }
  }

  /** What was taken before a crash is handed over first. What is of a provider that is not configured (any more) waits at the driver until it is. */
  async #send(signal: AbortSignal): Promise<boolean> {
    const { calls, settings } = this.#options;
    const portion = { requests: settings.maxRequests, bytes: settings.maxBytes };
    await this.#handOver(signal);
    let hasMore = false;
    for (const group of await calls.dueGroups(settings.gatherMs)) {
      if (signal.aborted) return true;
      const taken = await calls.take(group, portion);
      hasMore ||= taken.hasMore;
      if (taken.unwanted > 0)
        await this.#takeBack((transaction, slice) => calls.takeBackUnwanted(transaction, group, slice));
      if (taken.taken > 0) await this.#handOver(signal);
    }
    return hasMore;
  }

  async #handOver(signal: AbortSignal): Promise<void> {
    const { calls, clock, settings, logger } = this.#options;
    const portion = { requests: settings.maxRequests, bytes: settings.maxBytes };
    while (!signal.aborted) {
      const { account, requests } = await calls.readSending(portion);
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
    await driver.advance(this.#options.clock.now(), signal);
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
}
