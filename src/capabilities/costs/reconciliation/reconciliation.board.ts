import { stat } from '../../../../dashboards/charts.ts';
import { worseAbove } from '../../../../dashboards/colour-limits.ts';
import { promql } from '../../../../dashboards/data-queries.ts';
import { maximum } from '../../../../dashboards/promql.ts';
import { thresholds } from '../../../../dashboards/thresholds.ts';

/** Whether the ledger agrees with the bills of providers. */
export const reconciliationPanels = {
  residual: stat({
    title: 'Unexplained on bills',
    description:
      'Differences between bills and the ledger that have no named cause, of each provider, over the days that were compared.',
    unit: 'currencyUSD',
    width: 12,
    limits: worseAbove({ red: thresholds.metering.reconciliationResidualUsd }),
    queries: [promql(maximum('reconciliation_residual_usd', { by: ['provider'] }), '{{provider}}')],
  }),
  openDays: stat({
    title: 'Days not reconciled',
    description: 'Days that were compared with a bill and have a difference without a named cause.',
    unit: 'locale',
    decimals: 0,
    width: 12,
    limits: worseAbove({ red: 1 }),
    queries: [promql(maximum('reconciliations_open', { by: ['provider'] }), '{{provider}}')],
  }),
};
