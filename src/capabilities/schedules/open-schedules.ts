import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { applySchedules } from './apply-schedules.ts';
import { RunLedger } from './run-ledger.ts';
import { ScheduleGauges } from './schedule-gauges.ts';
import { runResults, type scheduleMetrics } from './schedule-metrics.ts';
import type { scheduleNames } from './schedule-names.ts';
import { ScheduleRunner } from './schedule-runner.ts';
import { ScheduleService } from './schedule-service.ts';
import type { ScheduleSettings } from './schedule-settings.ts';
import { ScheduleStore } from './schedule-store.ts';

interface Settings {
  readonly schedules: ScheduleSettings;
  readonly retention: { readonly finishedDays: number };
  readonly roles: readonly string[];
}

/** How late a run begins on an idle host, at most. */
const turnIntervalMs = 500;
const hourMs = 3_600_000;
const pruneSlice = 1000;

/** Composes schedules. */
export function openSchedules({
  settings,
  database,
  clock,
  logger,
  metrics,
  bounds,
  engine,
}: CapabilityContext<
  Settings,
  typeof scheduleMetrics,
  NameOf<typeof scheduleNames, 'jobs'>,
  NameOf<typeof scheduleNames, 'bounds'>
>): CapabilityParts<NameOf<typeof scheduleNames, 'jobs'>> {
  const { admissions } = engine;
  const { configured, max } = settings.schedules;
  const store = new ScheduleStore({ database, clock, bounds: settings.schedules });
  const runs = new RunLedger(database);
  const runner = new ScheduleRunner({ ledger: runs, admissions, logger, metrics });
  const gauges = new ScheduleGauges(database, metrics);
  metrics.initialise(
    'schedule_runs_total',
    runResults.map((result) => ({ result })),
  );
  bounds.register('schedules', { limit: max, takePeak: () => gauges.total });
  return {
    services: [[ScheduleService, new ScheduleService({ store, runs, database, clock, admissions })]],
    jobs: [
      { name: 'schedules', intervalMs: turnIntervalMs, runsIn: 'maintenance', turn: () => runner.turn() },
      {
        name: 'schedule_runs',
        intervalMs: hourMs,
        runsIn: 'maintenance',
        turn: () => runs.deleteOld(settings.retention.finishedDays * 24 * hourMs, pruneSlice),
      },
    ],
    readGauges: () => gauges.read(),
    beforeWork: async () => {
      if (configured !== undefined && settings.roles.includes('maintenance'))
        await applySchedules(store, configured, logger);
    },
  };
}
