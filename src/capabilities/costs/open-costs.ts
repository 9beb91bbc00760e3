import { ConcurrencyLimiter } from '../../kernel/concurrency-limiter.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { clockToken } from './clock-token.ts';
import { CostReports } from './cost-reports.ts';
import type { CostSettings } from './cost-settings.ts';
import { FocusExports } from './focus/focus-export.ts';
import { PeriodLedger } from './periods/period-ledger.ts';
import { PeriodService } from './periods/period-service.ts';
import { SpendBaseline } from './spend-baseline.ts';
import type { costMetrics } from './cost-metrics.ts';
import type { costNames } from './cost-names.ts';

interface Settings {
  readonly costs: CostSettings;
  readonly http: {
    readonly limits: {
      readonly concurrentReports: number;
      readonly concurrentReportsPerKey?: number | undefined;
    };
  };
}

const maxWaitingReports = 100;
const maxWaitingReportsPerKey = 20;
/** With the report itself this stays within what a caller waits for. */
const reportWaitMs = 1_500;
/** Each has some ten megabytes of rows in memory while it is sent. */
const focusExportsAtOnce = 4;
const maxWaitingExports = 20;

/** Composes cost reports and the baseline of spend. */
export function openCosts({
  settings,
  database,
  columns,
  metrics,
  clock,
  logger,
  bounds,
  engine,
}: CapabilityContext<
  Settings,
  typeof costMetrics,
  NameOf<typeof costNames, 'jobs'>,
  NameOf<typeof costNames, 'bounds'>
>): CapabilityParts<NameOf<typeof costNames, 'jobs'>> {
  const { concurrentReports, concurrentReportsPerKey } = settings.http.limits;
  const limiter = new ConcurrencyLimiter({
    what: 'Cost reports',
    limit: concurrentReports,
    limitPerKey: concurrentReportsPerKey ?? Math.max(1, Math.floor(concurrentReports / 2)),
    maxWaiting: maxWaitingReports,
    maxWaitingPerKey: maxWaitingReportsPerKey,
    maxWaitMs: reportWaitMs,
    clock,
  });
  bounds.register('cost_reports', limiter);
  const reports = new CostReports({
    store: columns,
    limiter,
    limits: settings.costs.reports,
    timeZone: settings.costs.reports.timeZone,
    exportLagSeconds: async () => (await engine.exports.backlog()).oldestSeconds,
  });
  const focusLimiter = new ConcurrencyLimiter({
    what: 'FOCUS exports',
    limit: focusExportsAtOnce,
    limitPerKey: 1,
    maxWaiting: maxWaitingExports,
    maxWaitingPerKey: 2,
    maxWaitMs: reportWaitMs,
    clock,
  });
  bounds.register('focus_exports', focusLimiter);
  const focus = new FocusExports({
    store: columns,
    logger,
    limiter: focusLimiter,
    limits: settings.costs.reports,
    billingAccount: settings.costs.focus.billingAccount,
  });
  const { intervalMs } = settings.costs.baseline;
  const baseline = new SpendBaseline({ store: columns, metrics, clock, settings: settings.costs.baseline });
  return {
    services: [
      [CostReports, reports],
      [FocusExports, focus],
      [
        PeriodService,
        new PeriodService({
          ledger: new PeriodLedger(database),
          clock,
          timeZone: settings.costs.reports.timeZone,
        }),
      ],
      [clockToken, clock],
    ],
    jobs: [
      {
        name: 'spend_baseline',
        intervalMs,
        runsIn: 'maintenance',
        turn: async () => {
          await baseline.compare();
          return false;
        },
        standBy: () => baseline.forget(),
      },
    ],
  };
}
