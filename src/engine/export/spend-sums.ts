import { inputTokenClasses, outputTokenClasses, type TokenClass } from '../../pricing/token-classes.ts';

/*
 * The one definition of spend and tokens over rows of `usage`: reports, boards, the baseline, the demo and the tests write
 * these expressions, and the projections of the table (clickhouse/migrations) hold them. Every row counts: a correction
 * carries differences only. What has no price, or no known outcome, adds nothing to cost and is counted beside it.
 * Sums are wider than what they sum: no row, however absurd, makes one overflow.
 */

const amount = (column: string): string => `toDecimal256(ifNull(${column}, 0), 18)`;
const tokens = (classes: readonly TokenClass[]): string =>
  classes.map((name) => `toInt128(tokens_${name})`).join(' + ');

/** The names of the sums. */
export const spendSumNames = [
  'cost',
  'waste',
  'bound',
  'calls',
  'unpriced',
  'unsettled',
  'estimated',
  'suspect',
  'input',
  'output',
  'cached',
] as const;

export type SpendSum = (typeof spendSumNames)[number];

/** Why money bought nothing, as SQL: rows are never edited, so those of earlier versions carry an earlier name. */
export const wasteReasonSql = `if(waste_reason = 'degenerate', 'invalid_output', waste_reason)`;

/** Each sum as SQL, over any rows of `usage`. */
export const spendSums: Readonly<Record<SpendSum, string>> = {
  /** Settled and estimated spend, in US dollars; what is unpriced or unsettled is not in it. */
  cost: `sum(${amount('cost_usd')})`,
  /** The part of it that bought nothing. */
  waste: `sumIf(${amount('cost_usd')}, is_waste = 1)`,
  /** What calls of unknown or estimated usage can have cost at most, in US dollars. */
  bound: `sum(${amount('upper_bound_usd')})`,
  calls: 'sum(calls)',
  unpriced: 'sum(unpriced_calls)',
  unsettled: 'sum(unsettled_calls)',
  estimated: 'sum(estimated_calls)',
  suspect: 'sum(suspect_calls)',
  /** All input tokens, cached ones among them. */
  input: `sum(${tokens(inputTokenClasses)})`,
  output: `sum(${tokens(outputTokenClasses)})`,
  /** Input tokens read from a cache. */
  cached: `sum(${tokens(['cache_read'])})`,
};
