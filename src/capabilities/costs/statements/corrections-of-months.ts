import { spendSumNames, spendSums } from '../../../engine/export/spend-sums.ts';
import { type CostFigures, readFigures } from '../cost-figures.ts';
import type { CostFilters } from '../cost-query.ts';
import { filterConditions, filterParameters } from '../filter-conditions.ts';
import { boundParameters, boundsOf, type Period } from '../spend-pieces.ts';
import { namedAs } from '../spend-rows.ts';
import type { BoundSql } from '../usage-queries.ts';

/*
 * Corrections of closed months that were booked in a period: part of its totals, and no spend of its own. They are few, and are looked
 * for in the records by the column that names the month.
 */

/** What was corrected of a closed month. Figures are differences. */
export interface CorrectedMonth extends CostFigures {
  readonly month: string;
}

export function correctionsSql(period: Period, filters: CostFilters, database: string): BoundSql {
  const sums = Object.fromEntries(spendSumNames.map((name) => [`total_${name}`, spendSums[name]]));
  return {
    sql: `SELECT toString(corrected_period) AS month, ${namedAs(sums).join(', ')} FROM ${database}.usage
WHERE ${[...boundsOf(period), "corrected_period != ''", ...filterConditions(filters)].join(' AND ')}
GROUP BY month ORDER BY month`,
    parameters: { ...boundParameters(period), ...filterParameters(filters) },
  };
}

export function readCorrections(
  rows: readonly Readonly<Record<string, unknown>>[],
): readonly CorrectedMonth[] {
  return rows.map((row) => ({ month: String(row['month']), ...readFigures(row) }));
}
