import { invariant } from '../../../kernel/invariant.ts';
import { usd } from '../../../kernel/money.ts';
import { inputTokenClasses, type TokenClass, tokenClasses } from '../../../pricing/token-classes.ts';
import { readCount } from '../cost-figures.ts';
import type { CostFilters } from '../cost-query.ts';
import { filterConditions, filterParameters } from '../filter-conditions.ts';
import { boundParameters, boundsOf } from '../spend-pieces.ts';
import type { BoundSql } from '../usage-queries.ts';
import { cacheClasses, type PricedKey, type PricedSums } from '../../../pricing/saved-amounts.ts';

/*
 * Sums of tokens and costs by price and context band, from records: no rollup has the price. The band of a record is that of its
 * own input, so that a correction of costs alone, which has no tokens, changes what was paid and nothing else.
 */

export interface SavingsQuestion {
  readonly from: Date;
  readonly to: Date;
  readonly filters: CostFilters;
}

/** By what calls are told apart. */
export interface SavingsBands {
  readonly thresholds: readonly number[];
  /** The names of tiers, as records have them, that are not the standard one. */
  readonly tiers: readonly string[];
  /** Whether calls may have been priced again: they are valued by the price of the last correction. */
  readonly hasCorrections: boolean;
}

const keys = ['provider', 'model', 'answered_model', 'tier', 'request_kind'] as const;
const firstMs = 'toUnixTimestamp64Milli(min(ts)) AS first_ms';
const input = inputTokenClasses.map((name) => `tokens_${name}`).join(' + ');

/** The prices by which calls were priced, with how they were asked: no sums, so that few columns are read. */
export function pricedKeysSql(question: SavingsQuestion, database: string): BoundSql {
  return {
    sql: `SELECT ${keys.join(', ')}, price_reference AS priced_by, ${firstMs},
  countIf(record_kind = 'correction') AS corrections FROM ${database}.usage
WHERE ${conditionsOf(question).join(' AND ')}
GROUP BY ${[...keys, 'priced_by'].join(', ')}`,
    parameters: parametersOf(question),
  };
}

export function readPricedKey(row: Readonly<Record<string, unknown>>): PricedKey {
  return {
    provider: textOf(row, 'provider'),
    model: textOf(row, 'model'),
    answeredModel: textOf(row, 'answered_model'),
    tier: textOf(row, 'tier'),
    isBatch: row['request_kind'] === 'batch',
    priceReference: textOf(row, 'priced_by'),
    at: new Date(Number(row['first_ms'])),
  };
}

/** Sums of the calls that can have saved something; thresholds are sizes of input in ascending order. */
export function pricedSumsSql(
  question: SavingsQuestion,
  { thresholds, tiers, hasCorrections }: SavingsBands,
  database: string,
): BoundSql {
  const band =
    thresholds.length === 0 ? '0' : `arrayCount(size -> ${input} > size, [${thresholds.join(', ')}])`;
  const sums = tokenClasses.flatMap((name) => [
    `toString(sum(toInt128(tokens_${name}))) AS sum_tokens_${name}`,
    `toString(sum(toDecimal256(cost_${name}, 18))) AS sum_cost_${name}`,
  ]);
  // A correction carries costs without the tokens of its call.
  const saving = [
    ...cacheClasses.map((name) => `tokens_${name} != 0`),
    "record_kind = 'correction'",
    "request_kind = 'batch'",
    'tier IN {saving_tiers:Array(String)}',
  ];
  return {
    sql: `SELECT ${keys.join(', ')}, ${hasCorrections ? "if(last_price = '', price_reference, last_price)" : 'price_reference'} AS priced_by, ${band} AS band, ${firstMs}, sum(calls) AS sum_calls,
  sumIf(calls, settlement = 'free') AS free_calls, sum(unsettled_calls) AS open_calls,
  ${sums.join(',\n  ')}
FROM ${database}.usage${hasCorrections ? lastPrices(question, database) : ''}
WHERE ${[...conditionsOf(question), `(${saving.join(' OR ')})`].join(' AND ')}
GROUP BY ${[...keys, 'priced_by', 'band'].join(', ')}`,
    parameters: { ...parametersOf(question), saving_tiers: [...tiers] },
  };
}

export function readPricedSums(
  row: Readonly<Record<string, unknown>>,
  thresholds: readonly number[],
): PricedSums {
  const byClass = <Value>(read: (name: TokenClass) => Value): Partial<Record<TokenClass, Value>> =>
    Object.fromEntries(tokenClasses.map((name) => [name, read(name)]));
  const band = readCount(row, 'band');
  const threshold = thresholds[band - 1];
  return {
    ...readPricedKey(row),
    inputTokens: threshold === undefined ? 0 : threshold + 1,
    calls: readCount(row, 'sum_calls'),
    freeCalls: readCount(row, 'free_calls'),
    openCalls: readCount(row, 'open_calls'),
    tokens: byClass((name) => BigInt(textOf(row, `sum_tokens_${name}`))),
    costUsd: byClass((name) => usd(textOf(row, `sum_cost_${name}`))),
  };
}

/** The price that the last correction of a call names, where one does. Corrections are few. */
function lastPrices(question: SavingsQuestion, database: string): string {
  return ` LEFT JOIN (
  SELECT call_id, toString(argMax(price_reference, recorded_at)) AS last_price FROM ${database}.usage
  WHERE ${[...conditionsOf(question), "record_kind = 'correction'", "price_reference != ''"].join(' AND ')}
  GROUP BY call_id
) AS corrected USING (call_id)`;
}

export function conditionsOf({ from, to, filters }: SavingsQuestion): string[] {
  return [...boundsOf({ from, to }), ...filterConditions(filters)];
}

export function parametersOf({ from, to, filters }: SavingsQuestion): Record<string, unknown> {
  return { ...boundParameters({ from, to }), ...filterParameters(filters) };
}

export function textOf(row: Readonly<Record<string, unknown>>, column: string): string {
  const value = row[column];
  invariant(typeof value === 'string', `${column} comes as text`);
  return value;
}
