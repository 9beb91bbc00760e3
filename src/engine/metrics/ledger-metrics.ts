import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';

/** Fed by src/engine/ledger: group commit, leases, counts that the maintenance role takes. */
export const ledgerMetrics = {
  ledger_group_commit_size: {
    type: 'histogram',
    unit: 'entries',
    labels: { operation: ['admit', 'claim', 'reserve', 'settle', 'finish', 'fail'] },
    help: 'Entries that shared one transaction.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
  },
  ledger_group_commit_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: { operation: ['admit', 'claim', 'reserve', 'settle', 'finish', 'fail'] },
    help: 'Time of one shared transaction.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  ledger_reduced_writes_total: {
    type: 'counter',
    unit: 'rows',
    labels: { operation: ['settle', 'fail'] },
    help: 'Settlements and ends of runs that the database refused for what they hold, kept without what was odd in them.',
  },
  lease_expired_total: {
    type: 'counter',
    unit: 'leases',
    labels: {},
    help: 'Leases that passed on, or could not be renewed in time, while their handler ran.',
  },
  calls_unsettled: {
    type: 'gauge',
    unit: 'calls',
    labels: {},
    help: 'Calls whose outcome is unknown and that carry an upper-bound cost; aggregate with max.',
  },
  calls_unsettled_oldest_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'Time since the oldest call without a known outcome was reserved; 0 when there is none; aggregate with max.',
  },
  origin_coverage_ratio: {
    type: 'gauge',
    unit: 'ratio',
    labels: {},
    help: 'Share of calls and messages with a complete origin; anything under 1 is a fault.',
  },
} as const satisfies MetricCatalogue;
