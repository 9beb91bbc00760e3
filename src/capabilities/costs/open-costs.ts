import { ConcurrencyLimiter } from '../../kernel/concurrency-limiter.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { clockToken } from './clock-token.ts';
import { CostReports } from './cost-reports.ts';
import type { CostSettings } from './cost-settings.ts';
import { openReconciliations } from './reconciliation/open-reconciliations.ts';
import { ReconciliationService } from './reconciliation/reconciliation-service.ts';
import type { reconciliationMetrics } from './reconciliation/reconciliation-metrics.ts';
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
/** How often kept days are looked at again: records come late by minutes, bills by days. */
const reconciliationIntervalMs = 900_000;

/** What reports and reconciliations are given. */
type CostContext = CapabilityContext<
  Settings,
  typeof costMetrics & typeof reconciliationMetrics,
  NameOf<typeof costNames, 'jobs'>,
  NameOf<typeof costNames, 'bounds'>
>;

/** Composes cost reports, the baseline of spend and reconciliations. */
export function openCosts(context: CostContext): CapabilityParts<NameOf<typeof costNames, 'jobs'>> {
  const { settings, database, columns, metrics, clock, logger, bounds, engine } = context;
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
    hourFloorUsd: settings.costs.baseline.hourFloorUsd,
    findPrice: (question) =>
      engine.pricer.present.findPrice({
        ...question,
        provider: engine.providers.priceProviderOf(question.provider),
      }),
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
  const reconciliations = openReconciliations(context, settings.costs.reports);
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
      [ReconciliationService, reconciliations.service],
      [clockToken, clock],
    ],
    readGauges: () => reconciliations.readGauges(),
    jobs: [
      {
        name: 'reconciliations',
        intervalMs: reconciliationIntervalMs,
        runsIn: 'maintenance',
        turn: async () => {
          await reconciliations.service.refresh();
          return false;
        },
      },
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
