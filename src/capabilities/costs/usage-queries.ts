import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type Usd, usd, zeroUsd } from '../../kernel/money.ts';
import { type QueryLimits, queryWithin } from './query-limits.ts';
import { inputTokenClasses, outputTokenClasses, type TokenClass } from '../../pricing/token-classes.ts';

/*
 * A cost report as a value: the question is turned into SQL without a server, and rows into figures without one.
 * Groups and their total come from one statement, so they add up even while rows arrive; the total covers every
 * group, also those beyond the limit. Names of columns come from closed lists, values are bound by the engine.
 */

/** What a report can be filtered by. */
export const costFilterFields = [
  'team',
  'customer',
  'feature',
  'batch',
  'pipeline',
  'stage',
  'provider',
  'model',
] as const;

/**
 * What a report can be grouped by. `waste` is why money bought nothing (failed, aborted, duplicate, degenerate), empty
 * where it did. `hour` is "YYYY-MM-DD hh:00:00" and `day` "YYYY-MM-DD", both UTC.
 */
export const costGroupFields = [...costFilterFields, 'waste', 'day', 'hour'] as const;

export type CostFilterField = (typeof costFilterFields)[number];
export type CostGroupField = (typeof costGroupFields)[number];
export type CostOrder = 'cost' | 'calls' | 'tokens' | 'group';

export const maxCostGroups = 10_000;

/** A question about spend. */
export interface CostQuery {
  /** Groups in the order of the answer's columns; none: only the total. */
  readonly groupBy: readonly CostGroupField[];
  /** First moment (of the call), included. */
  readonly from?: Date;
  /** Last moment, excluded. */
  readonly to?: Date;
  /** Each listed field must have one of its values. */
  readonly filters?: Readonly<Partial<Record<CostFilterField, readonly string[]>>>;
  /** Dearest first unless told otherwise. */
  readonly order?: { readonly by: CostOrder; readonly direction: 'asc' | 'desc' };
  /** Groups in the answer, 1 to 10,000. */
  readonly limit?: number;
  /** Count distinct messages, which only the single records can tell; without it the hourly rollup may answer. */
  readonly countMessages?: boolean;
}

/** The figures of one group, or of all. Amounts are exact. */
export interface CostFigures {
  /** Settled and estimated spend; what is unpriced or unsettled is not in it. */
  readonly costUsd: Usd;
  /** The part of it that bought nothing. */
  readonly wasteUsd: Usd;
  /** What calls of unknown or estimated usage can have cost at most. */
  readonly upperBoundUsd: Usd;
  readonly calls: number;
  readonly unpricedCalls: number;
  readonly unsettledCalls: number;
  readonly estimatedCalls: number;
  /** Estimated ones whose reported usage was not believed; absent where only the rollup was asked. */
  readonly suspectCalls?: number;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly cachedInputTokens: bigint;
  /** Cached input by all input, 0 to 1; 0 without input. */
  readonly cachedShare: number;
  /** Distinct messages, when they were asked for. */
  readonly messages?: number;
}

export interface CostGroup extends CostFigures {
  readonly group: Readonly<Partial<Record<CostGroupField, string>>>;
}

export interface CostReport {
  readonly groups: readonly CostGroup[];
  /** Over all groups, whatever the limit. */
  readonly total: CostFigures;
  /** Whether there are more groups than the limit. */
  readonly isTruncated: boolean;
}

/** SQL whose values are bound by the engine. */
export interface BoundSql {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

interface Source {
  readonly table: 'usage' | 'usage_hourly';
  readonly time: string;
  readonly measures: readonly string[];
}

/** Sums are wider than what they sum: no row, however absurd, makes one overflow. */
const wideSum = (classes: readonly TokenClass[]): string =>
  classes.map((name) => `sum(toInt128(tokens_${name}))`).join(' + ');
const amountSum = (column: string): string => `sum(toDecimal256(ifNull(${column}, 0), 18))`;
const rollupSum = (names: readonly string[]): string =>
  names.map((name) => `sum(toInt128(tokens_${name}_sum))`).join(' + ');

const records: Source = {
  table: 'usage',
  time: 'ts',
  measures: [
    `${amountSum('cost_usd')} AS total_cost`,
    'sumIf(toDecimal256(ifNull(cost_usd, 0), 18), is_waste = 1) AS total_waste',
    `${amountSum('upper_bound_usd')} AS total_bound`,
    'sum(calls) AS total_calls',
    'sum(unpriced_calls) AS total_unpriced',
    'sum(unsettled_calls) AS total_unsettled',
    'sum(estimated_calls) AS total_estimated',
    'sum(suspect_calls) AS total_suspect',
    `${wideSum(inputTokenClasses)} AS total_input`,
    `${wideSum(outputTokenClasses)} AS total_output`,
    `${wideSum(['cache_read'])} AS total_cached`,
  ],
};

const hourly: Source = {
  table: 'usage_hourly',
  time: 'hour',
  measures: [
    `${amountSum('cost_usd_sum')} AS total_cost`,
    `${amountSum('waste_usd_sum')} AS total_waste`,
    `${amountSum('upper_bound_usd_sum')} AS total_bound`,
    'sum(calls_sum) AS total_calls',
    'sum(unpriced_calls_sum) AS total_unpriced',
    'sum(unsettled_calls_sum) AS total_unsettled',
    'sum(estimated_calls_sum) AS total_estimated',
    `${rollupSum(['uncached_input', 'cache_read', 'cache_write', 'media_input'])} AS total_input`,
    `${rollupSum(['text_output', 'reasoning', 'media_output'])} AS total_output`,
    `${rollupSum(['cache_read'])} AS total_cached`,
  ],
};

const messageMeasure =
  "uniqExactIf(message_id, message_id != toUUID('00000000-0000-0000-0000-000000000000')) AS total_messages";

const orderExpressions: Readonly<Record<Exclude<CostOrder, 'group'>, string>> = {
  cost: 'total_cost',
  calls: 'total_calls',
  tokens: 'total_input + total_output',
};

const defaultLimit = 1_000;
const hourMs = 3_600_000;

/** A cost report's statement, and the reading of its rows. */
export class CostReportQuery {
  readonly #query: CostQuery;
  readonly #limit: number;
  readonly #source: Source;

  constructor(query: CostQuery) {
    const limit = query.limit ?? defaultLimit;
    invariant(
      Number.isInteger(limit) && limit >= 1 && limit <= maxCostGroups,
      `${limit} groups are within the limit`,
    );
    invariant(new Set(query.groupBy).size === query.groupBy.length, 'no field is grouped by twice');
    this.#query = query;
    this.#limit = limit;
    this.#source = fitsHourlyRollup(query) ? hourly : records;
  }

  /** The table that answers: the hourly rollup where it holds all that is asked for, else the records. */
  get table(): 'usage' | 'usage_hourly' {
    return this.#source.table;
  }

  toSql(database: string): BoundSql {
    const { groupBy } = this.#query;
    const conditions = this.#conditions();
    const columns = groupBy.map((field) => groupColumn(field, this.#source));
    const measures = [...this.#source.measures, ...(this.#countsMessages ? [messageMeasure] : [])];
    // The total's row comes first; one group more than the limit tells whether there are more.
    const isTotal = groupBy.length === 0 ? '1 AS is_total' : `grouping(${groupBy[0]}) AS is_total`;
    const lines = [
      `SELECT ${[isTotal, ...columns, ...measures].join(', ')}`,
      `FROM ${database}.${this.#source.table}`,
      ...(conditions.length === 0 ? [] : [`WHERE ${conditions.join(' AND ')}`]),
      ...(groupBy.length === 0
        ? []
        : [
            `GROUP BY GROUPING SETS ((${groupBy.join(', ')}), ())`,
            `ORDER BY is_total DESC, ${this.#order()}`,
            `LIMIT ${this.#limit + 2}`,
          ]),
    ];
    return { sql: lines.join('\n'), parameters: this.#parameters() };
  }

  /** The report in the rows that the statement gave. */
  read(rows: readonly Readonly<Record<string, unknown>>[]): CostReport {
    const totalRow = rows.find((row) => Number(row['is_total']) === 1);
    const groupRows = rows.filter((row) => Number(row['is_total']) !== 1);
    return {
      groups: groupRows.slice(0, this.#limit).map((row) => ({
        group: Object.fromEntries(this.#query.groupBy.map((field) => [field, String(row[field])])),
        ...readFigures(row, this.#countsMessages),
      })),
      total: readFigures(totalRow ?? {}, this.#countsMessages),
      isTruncated: groupRows.length > this.#limit,
    };
  }

  get #countsMessages(): boolean {
    return this.#query.countMessages ?? true;
  }

  #conditions(): string[] {
    const { from, to } = this.#query;
    return [
      ...(from === undefined ? [] : [`${this.#source.time} >= {from:DateTime64(3, 'UTC')}`]),
      ...(to === undefined ? [] : [`${this.#source.time} < {to:DateTime64(3, 'UTC')}`]),
      ...this.#filters().map(([field]) => `${field} IN {${field}_filter:Array(String)}`),
    ];
  }

  #parameters(): Record<string, unknown> {
    const { from, to } = this.#query;
    return {
      ...(from === undefined ? {} : { from: engineTime(from) }),
      ...(to === undefined ? {} : { to: engineTime(to) }),
      ...Object.fromEntries(this.#filters().map(([field, values]) => [`${field}_filter`, [...values]])),
    };
  }

  /** An empty list is a filter too: nothing has one of no values. */
  #filters(): (readonly [CostFilterField, readonly string[]])[] {
    const { filters = {} } = this.#query;
    return costFilterFields.flatMap((field) => {
      const values = filters[field];
      return values === undefined ? [] : [[field, values] as const];
    });
  }

  #order(): string {
    const { by, direction } = this.#query.order ?? { by: 'cost', direction: 'desc' };
    const word = direction === 'asc' ? 'ASC' : 'DESC';
    const { groupBy } = this.#query;
    if (by === 'group') return groupBy.map((field) => `${field} ${word}`).join(', ');
    return [`${orderExpressions[by]} ${word}`, ...groupBy.map((field) => `${field} ASC`)].join(', ');
  }
}

/** Asks the store, within the limits if there are any, and reads its answer. */
export async function runCostQuery(
  store: ColumnStore,
  query: CostQuery,
  limits?: QueryLimits,
): Promise<CostReport> {
  const report = new CostReportQuery(query);
  const bound = report.toSql(store.database);
  const rows =
    limits === undefined
      ? await store.query<Record<string, unknown>>(bound.sql, bound.parameters)
      : await queryWithin<Record<string, unknown>>(store, bound, limits);
  return report.read(rows);
}

function fitsHourlyRollup(query: CostQuery): boolean {
  const { groupBy, filters = {}, from, to, countMessages = true } = query;
  const isInRollup = (field: string): boolean =>
    field !== 'customer' && field !== 'batch' && field !== 'waste';
  const isWholeHour = (time: Date | undefined): boolean =>
    time === undefined || time.getTime() % hourMs === 0;
  return (
    !countMessages &&
    groupBy.every(isInRollup) &&
    Object.keys(filters).every(isInRollup) &&
    isWholeHour(from) &&
    isWholeHour(to)
  );
}

function groupColumn(field: CostGroupField, source: Source): string {
  if (field === 'waste') return 'waste_reason AS waste';
  if (field === 'day') return `toDate(${source.time}, 'UTC') AS day`;
  if (field === 'hour' && source.table === 'usage') return 'toStartOfHour(ts) AS hour';
  return field;
}

function engineTime(time: Date): string {
  return time.toISOString().replace('T', ' ').replace('Z', '');
}

function readFigures(row: Readonly<Record<string, unknown>>, countsMessages: boolean): CostFigures {
  const inputTokens = readTokens(row, 'total_input');
  const cachedInputTokens = readTokens(row, 'total_cached');
  return {
    costUsd: readAmount(row, 'total_cost'),
    wasteUsd: readAmount(row, 'total_waste'),
    upperBoundUsd: readAmount(row, 'total_bound'),
    calls: readCount(row, 'total_calls'),
    unpricedCalls: readCount(row, 'total_unpriced'),
    unsettledCalls: readCount(row, 'total_unsettled'),
    estimatedCalls: readCount(row, 'total_estimated'),
    ...('total_suspect' in row ? { suspectCalls: readCount(row, 'total_suspect') } : {}),
    inputTokens,
    outputTokens: readTokens(row, 'total_output'),
    cachedInputTokens,
    cachedShare: inputTokens > 0n ? Number(cachedInputTokens) / Number(inputTokens) : 0,
    ...(countsMessages ? { messages: readCount(row, 'total_messages') } : {}),
  };
}

function readAmount(row: Readonly<Record<string, unknown>>, column: string): Usd {
  const value = row[column];
  if (value === undefined) return zeroUsd;
  invariant(typeof value === 'string', `${column} comes as a decimal string`);
  return usd(value);
}

function readCount(row: Readonly<Record<string, unknown>>, column: string): number {
  const count = Number(row[column] ?? 0);
  invariant(Number.isSafeInteger(count), `${column} is a whole number`);
  return count;
}

/** Sums of tokens can be above what a number holds exactly. The engine gives them as text. */
function readTokens(row: Readonly<Record<string, unknown>>, column: string): bigint {
  const value = row[column] ?? '0';
  invariant(typeof value === 'string' || typeof value === 'number', `${column} is a count`);
  return BigInt(value);
}
