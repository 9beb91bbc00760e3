import { ConcurrencyLimiter } from '../../kernel/concurrency-limiter.ts';
import type { Capability } from '../capability.ts';
import { clockToken } from './clock-token.ts';
import { CostReports } from './cost-reports.ts';
import type { CostSettings } from './cost-settings.ts';
import { FocusExports } from './focus/focus-export.ts';
import { SpendBaseline } from './spend-baseline.ts';

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

/** What work cost and who caused it: reports, and spend over its own baseline. */
export const costs: Capability<Settings> = {
  name: 'costs',
  http: async () => (await import('./costs.http.ts')).httpPart,
  open: ({ settings, columns, metrics, clock, bounds, engine }) => {
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
    const focus = new FocusExports({
      store: columns,
      limiter,
      limits: settings.costs.reports,
      billingAccount: settings.costs.focus.billingAccount,
    });
    const { pauseMs } = settings.costs.baseline;
    const baseline = new SpendBaseline({ store: columns, metrics, clock, settings: settings.costs.baseline });
    return {
      services: [
        [CostReports, reports],
        [FocusExports, focus],
        [clockToken, clock],
      ],
      jobs: [
        {
          name: 'spend_baseline',
          intervalMs: pauseMs,
          runsIn: 'relay',
          turn: async () => {
            await baseline.compare();
            return false;
          },
          standBy: () => baseline.forget(),
        },
      ],
    };
  },
};
