import type { BackgroundLoop } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import { PayloadRemovals } from '../engine/maintenance/payload-removals.ts';
import { LedgerCounts } from '../engine/ledger/ledger-counts.ts';
import { Retention } from '../engine/maintenance/retention.ts';
import type { SweepLedger } from '../engine/ledger/sweep-ledger.ts';
import type { AbandonedCalls } from '../engine/maintenance/abandoned-calls.ts';
import { PayloadCleaner } from '../engine/maintenance/payload-cleaner.ts';
import type { Publisher } from '../engine/pipeline/publisher.ts';
import type { StageRegistry } from '../engine/pipeline/stage-registry.ts';
import { Sweeper } from '../engine/maintenance/sweeper.ts';
import type { UsageExporter } from '../engine/export/usage-exporter.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { CapabilitySet } from './capability-set.ts';
import type { MakeChore } from './chores.ts';
import type { Configuration } from './configuration.ts';
import type { Stores } from './stores.ts';

export interface HostRelayOptions {
  readonly configuration: Configuration;
  readonly stores: Stores;
  readonly sweeps: SweepLedger;
  readonly exporter: UsageExporter;
  readonly abandoned: AbandonedCalls;
  readonly capabilities: CapabilitySet;
  readonly publisher: Publisher;
  readonly registry: StageRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  /** This process's name. */
  readonly worker: string;
}

// Every turn of a chore renews it. While it outlives a relay that died, nobody sweeps: a dead worker's messages would
// wait for that on top of their own leases.
const roleLeaseMs = 5000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const pruneSlice = 1000;
const sumSlice = 20_000;

/** The chores of the role "relay", which one process at a time does: two would only get in each other's way. */
export class HostRelay {
  readonly #options: HostRelayOptions;

  constructor(options: HostRelayOptions) {
    this.#options = options;
  }

  loops(chore: MakeChore): readonly BackgroundLoop[] {
    const { configuration, stores, exporter, abandoned, capabilities } = this.#options;
    const counts = new LedgerCounts(stores.database);
    const sweeper = new Sweeper({
      ...this.#options,
      ledger: this.#options.sweeps,
      counts,
      queues: stores.queues,
    });
    const cleaner = new PayloadCleaner({
      ...this.#options,
      removals: new PayloadRemovals(stores.database),
      payloads: stores.payloads,
    });
    const { finishedDays, exportedDays } = configuration.retention;
    const retention = new Retention(stores.database, {
      finishedMs: finishedDays * dayMs,
      exportedMs: exportedDays * dayMs,
    });
    const alone = (turn: () => Promise<boolean>) => async (): Promise<boolean> =>
      (await this.#holdsRole()) && (await turn());
    const pruneSome = async (): Promise<boolean> => (await retention.prune(pruneSlice)).hasMore;
    const giveUpSome = async (): Promise<boolean> => (await abandoned.settleAbandoned()) > 0;
    return [
      chore(
        'sweep',
        configuration.sweeper.pauseMs,
        alone(() => sweeper.sweep()),
      ),
      chore(
        'export',
        configuration.exporter.pauseMs,
        alone(() => exporter.exportNext()),
      ),
      chore(
        'ledger_counts',
        2000,
        alone(() => counts.sumUp(sumSlice)),
      ),
      chore('abandoned_calls', 5000, alone(giveUpSome)),
      chore('retention', hourMs, alone(pruneSome)),
      chore(
        'payloads',
        hourMs,
        alone(() => cleaner.clean()),
      ),
      ...capabilities.relayLoops(chore, () => this.#holdsRole()),
    ];
  }

  /** What the stopping workers settled still goes out; if it cannot, it waits in the ledger for the next start. */
  async lastExport(): Promise<void> {
    const { exporter, sweeps, worker, logger } = this.#options;
    try {
      if (await this.#holdsRole()) await exporter.drain();
      await sweeps.releaseRole('relay', worker);
    } catch (error) {
      logger.warn({ error }, 'the last usage records wait in the ledger for the next start');
    }
  }

  /** Embedded, there is only this process, which need not wait until the lease of one that was killed runs out. */
  async #holdsRole(): Promise<boolean> {
    const { stores, sweeps, worker } = this.#options;
    return stores.isEmbedded || (await sweeps.holdRole('relay', worker, roleLeaseMs));
  }
}
