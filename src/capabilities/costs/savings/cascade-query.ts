import { usd } from '../../../kernel/money.ts';
import type { CascadeSums } from '../../../pricing/cascade-savings.ts';
import { readCount } from '../cost-figures.ts';
import type { BoundSql } from '../usage-queries.ts';
import { conditionsOf, parametersOf, type SavingsQuestion, textOf } from './savings-query.ts';

/**
 * Sums of the calls of cascades' models before the last, by what became of their answers. The records of a call are put together first: a
 * decision, a price or a rejection may have come after its own. By their names, `escalated` comes after `accepted`, as it does in time.
 */
export function cascadeSumsSql(question: SavingsQuestion, database: string): BoundSql {
  return {
    sql: `SELECT verdict, count() AS sum_calls, countIf(is_unvalued) AS unvalued_calls,
  toString(sumIf(cost, NOT is_unvalued)) AS sum_cost_usd, toString(sumIf(last, NOT is_unvalued)) AS sum_last_usd
FROM (
  SELECT call_id, toString(max(cascade_verdict)) AS verdict,
    sum(toDecimal256(ifNull(cost_usd, 0), 18)) AS cost, sum(toDecimal256(cascade_usd, 18)) AS last,
    sum(unpriced_calls) > 0 OR sum(unsettled_calls) > 0 OR sum(cascade_unvalued) > 0 AS is_unvalued
  FROM ${database}.usage
  WHERE ${[...conditionsOf(question), 'cascade_place > 0', 'cascade_place < cascade_models'].join(' AND ')}
  GROUP BY call_id
)
GROUP BY verdict`,
    parameters: parametersOf(question),
  };
}

export function readCascadeSums(row: Readonly<Record<string, unknown>>): CascadeSums {
  const verdict = textOf(row, 'verdict');
  return {
    verdict: verdict === 'accepted' || verdict === 'escalated' ? verdict : 'none',
    calls: readCount(row, 'sum_calls'),
    unvaluedCalls: readCount(row, 'unvalued_calls'),
    costUsd: usd(textOf(row, 'sum_cost_usd')),
    lastModelUsd: usd(textOf(row, 'sum_last_usd')),
  };
}
