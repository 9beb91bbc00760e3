import type { BackgroundJob } from '../kernel/background-job.ts';
import type { Clock } from '../kernel/clock.ts';
import { PayloadRemovals } from '../engine/maintenance/payload-removals.ts';
import { Joins } from '../engine/ledger/joins.ts';
import { LedgerCounts } from '../engine/ledger/ledger-counts.ts';
import { MissedJoins } from '../engine/maintenance/missed-joins.ts';
import { Retention } from '../engine/maintenance/retention.ts';
import type { SweepLedger } from '../engine/ledger/sweep-ledger.ts';
import type { AbandonedCalls } from '../engine/maintenance/abandoned-calls.ts';
import { PayloadCleaner } from '../engine/maintenance/payload-cleaner.ts';
import type { Publisher } from '../engine/pipeline/publisher.ts';
import type { StageRegistry } from '../engine/pipeline/stage-registry.ts';
import { OverdueStages } from '../engine/maintenance/overdue-stages.ts';
import { StartTimes } from '../engine/ledger/start-times.ts';
import { MessageStarts } from '../engine/maintenance/message-starts.ts';
import { Sweeper } from '../engine/maintenance/sweeper.ts';
import type { UsageExporter } from '../engine/export/usage-exporter.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { CapabilitySet } from './capability-set.ts';
import type { MakeBackgroundJob } from './job-runner.ts';
import type { Configuration } from './configuration.ts';
import type { MaintenanceRole } from './maintenance-role.ts';
import type { Stores } from './stores.ts';

export interface MaintenanceLoopsOptions {
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
}

const joinsIntervalMs = 10_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const pruneSlice = 1000;
/** How late a message with a time may start on an idle host. */
const startEveryMs = 500;
const sumSlice = 20_000;

/** The background jobs of the role "maintenance", which one process at a time does: two would only get in each other's way. */
export function maintenanceLoops(
  options: MaintenanceLoopsOptions,
  role: Pick<MaintenanceRole, 'isOwn'>,
  job: MakeBackgroundJob,
): readonly BackgroundJob[] {
  const { configuration, stores, exporter, abandoned, capabilities } = options;
  const counts = new LedgerCounts(stores.database);
  const shared = { ...options, queues: stores.queues };
  const overdue = new OverdueStages({ ...shared, counts });
  const sweeper = new Sweeper({ ...shared, ledger: options.sweeps, overdue });
  const starts = new MessageStarts({ ...options, starts: new StartTimes(stores.database) });
  const cleaner = new PayloadCleaner({
    ...options,
    removals: new PayloadRemovals(stores.database),
    payloads: stores.payloads,
  });
  const missedJoins = new MissedJoins({ ...options, joins: new Joins(stores.database) });
  const { finishedDays, exportedDays } = configuration.retention;
  const retention = new Retention(stores.database, {
    finishedMs: finishedDays * dayMs,
    exportedMs: exportedDays * dayMs,
  });
  const alone = (turn: () => Promise<boolean>) => async (): Promise<boolean> =>
    (await role.isOwn()) && (await turn());
  const pruneSome = async (): Promise<boolean> => (await retention.prune(pruneSlice)).hasMore;
  const giveUpSome = async (): Promise<boolean> => (await abandoned.settleAbandoned()) > 0;
  return [
    job(
      'sweep',
      configuration.sweeper.intervalMs,
      alone(() => sweeper.sweep()),
    ),
    job(
      'message_starts',
      startEveryMs,
      alone(() => starts.startDue()),
    ),
    job(
      'export',
      configuration.exporter.intervalMs,
      alone(() => exporter.exportNext()),
    ),
    job(
      'ledger_counts',
      2000,
      alone(() => counts.sumUp(sumSlice)),
    ),
    job('abandoned_calls', 5000, alone(giveUpSome)),
    job('retention', hourMs, alone(pruneSome)),
    job(
      'joins',
      joinsIntervalMs,
      alone(() => missedJoins.look()),
    ),
    job(
      'payloads',
      hourMs,
      alone(() => cleaner.clean()),
    ),
    ...capabilities.maintenanceLoops(job, () => role.isOwn()),
  ];
}
