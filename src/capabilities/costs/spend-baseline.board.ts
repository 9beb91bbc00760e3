import { barGauge } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum } from '../../../dashboards/promql.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

/** Who spends far more than usual. */
export const spendBaselinePanel = barGauge({
  title: 'Spend over its own baseline',
  description:
    'Spend of a team, customer or feature as a multiple of what is usual for it at this time of day; the highest four of each.',
  unit: 'suffix:×',
  decimals: 1,
  width: 12,
  min: 0,
  limits: worseAbove({ red: thresholds.budgets.spendOverBaselineRatio }),
  queries: [
    promql(
      `sort_desc(topk by (dimension) (4, ${maximum('spend_over_baseline_ratio', { by: ['dimension', 'name'] })}))`,
      '{{dimension}} {{name}}',
    ),
  ],
});
