import { invariant } from '../../../kernel/invariant.ts';
import { usd } from '../../../kernel/money.ts';
import { inputTokenClasses, type TokenClass, tokenClasses } from '../../../pricing/token-classes.ts';
import { readCount } from '../cost-figures.ts';
import type { CostFilters } from '../cost-query.ts';
import { filterConditions, filterParameters } from '../filter-conditions.ts';
import { boundParameters, boundsOf } from '../spend-pieces.ts';
import type { BoundSql } from '../usage-queries.ts';
import type { PricedSums } from './saved-amounts.ts';

/*
 * Sums of tokens and costs by price and context band, from records: no rollup has the price. The band of a record is that of its
 * own input, so that a correction of costs alone, which has no tokens, changes what was paid and nothing else.
 */

export interface SavingsQuestion {
  readonly from: Date;
  readonly to: Date;
  readonly filters: CostFilters;
}

const keys = ['provider', 'model', 'answered_model', 'tier', 'request_kind', 'price_reference'] as const;
const input = inputTokenClasses.map((name) => `tokens_${name}`).join(' + ');

/** The statement; thresholds are sizes of input in ascending order. None: everything is one band. */
export function pricedSumsSql(
  { from, to, filters }: SavingsQuestion,
  thresholds: readonly number[],
  database: string,
): BoundSql {
  const band =
    thresholds.length === 0 ? '0' : `arrayCount(size -> ${input} > size, [${thresholds.join(', ')}])`;
  const sums = tokenClasses.flatMap((name) => [
    `toString(sum(toInt128(tokens_${name}))) AS sum_tokens_${name}`,
    `toString(sum(toDecimal256(cost_${name}, 18))) AS sum_cost_${name}`,
  ]);
  return {
    sql: `SELECT ${keys.join(', ')}, ${band} AS band, toUnixTimestamp64Milli(min(ts)) AS first_ms, sum(calls) AS sum_calls,
  ${sums.join(',\n  ')}
FROM ${database}.usage
WHERE ${[...boundsOf({ from, to }), ...filterConditions(filters)].join(' AND ')}
GROUP BY ${[...keys, 'band'].join(', ')}`,
    parameters: { ...boundParameters({ from, to }), ...filterParameters(filters) },
  };
}

export function readPricedSums(
  row: Readonly<Record<string, unknown>>,
  thresholds: readonly number[],
): PricedSums {
  const textOf = (column: string): string => {
    const value = row[column];
    invariant(typeof value === 'string', `${column} comes as text`);
    return value;
  };
  const byClass = <Value>(read: (name: TokenClass) => Value): Partial<Record<TokenClass, Value>> =>
    Object.fromEntries(tokenClasses.map((name) => [name, read(name)]));
  const band = readCount(row, 'band');
  const threshold = thresholds[band - 1];
  return {
    provider: textOf('provider'),
    model: textOf('model'),
    answeredModel: textOf('answered_model'),
    tier: textOf('tier'),
    isBatch: row['request_kind'] === 'batch',
    priceReference: textOf('price_reference'),
    at: new Date(Number(row['first_ms'])),
    inputTokens: threshold === undefined ? 0 : threshold + 1,
    calls: readCount(row, 'sum_calls'),
    tokens: byClass((name) => BigInt(textOf(`sum_tokens_${name}`))),
    costUsd: byClass((name) => usd(textOf(`sum_cost_${name}`))),
  };
}
