import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invariant } from '../../kernel/invariant.ts';
import {
  type CostFilterField,
  costFilterFields,
  type CostGroupField,
  type CostOrder,
  type CostQuery,
  fieldsWithoutCompleted,
  isTimeField,
  maxCostGroups,
  type MessageCount,
  type SpendSource,
} from './cost-query.ts';
import { isoWeek } from '../../kernel/time-zone.ts';
import { AnswerTimes, timeColumn } from './answer-times.ts';
import { isLabelField, labelColumn, type LabelField, labelValueSql } from './label-fields.ts';
import { boundParameters, boundsOf, type Period, piecesOf } from './spend-pieces.ts';
import { type CostFigures, readCount, readFigures } from './cost-figures.ts';
import { filterConditions, filterParameters } from './filter-conditions.ts';
import { type QueryLimits, queryWithin } from './query-limits.ts';
import {
  exactMessages,
  mergedMessages,
  namedAs,
  type RollupName,
  type SpendPiece,
  type SpendColumn,
  spendParts,
  type SpendRollup,
  spendRollups,
  spendRowsSql,
} from './spend-rows.ts';
import { spendSumNames, wasteReasonSql } from '../../engine/export/spend-sums.ts';

/*
 * A cost report as a value: the question is turned into SQL without a server, and rows into figures without one. Sums are
 * read from a rollup where one has all fields, and from the records at the edges of the period.
 * Groups and their total come from one statement, so they add up even while rows arrive; the total covers every
 * group, also those beyond the limit. Names of columns come from closed lists, values are bound by the engine.
 */

/** The figures of a group, or of all, with what else was asked for. */
export interface PeriodFigures extends CostFigures {
  /** Of the previous period. */
  readonly previous?: CostFigures;
  /** Messages that completed in the period. */
  readonly completedMessages?: number;
}

export interface CostGroup extends PeriodFigures {
  readonly group: Readonly<Partial<Record<CostGroupField, string>>>;
}

export interface CostReport {
  readonly groups: readonly CostGroup[];
  /** Over all groups, whatever the limit. */
  readonly total: PeriodFigures;
  /** Whether there are more groups than the limit. */
  readonly isTruncated: boolean;
  /** How distinct messages were counted. */
  readonly messages: MessageCount;
  /** What the sums were asked of. */
  readonly source: SpendSource;
}

/** SQL whose values are bound by the engine. */
export interface BoundSql {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

const columnOf = (field: CostFilterField | 'waste'): SpendColumn =>
  field === 'waste' ? 'waste_reason' : field;
const totals = spendSumNames.map((name) => `sum(part_${name}) AS total_${name}`);
const comparedTotals = spendSumNames.flatMap((name) => [
  `sumIf(part_${name}, part_period = 0) AS total_${name}`,
  `sumIf(part_${name}, part_period = 1) AS previous_${name}`,
]);
/** The parameters of the previous period begin with this. */
const previousPrefix = 'previous_';

const orderExpressions: Readonly<Record<Exclude<CostOrder, 'group'>, string>> = {
  cost: 'total_cost',
  calls: 'total_calls',
  tokens: 'total_input + total_output',
};

const defaultLimit = 1_000;
/** With more records in the period messages are estimated, unless exactness is asked for. */
const maxExactRecords = 200_000;

/** A cost report's statement, and the reading of its rows. */
export class CostReportQuery {
  readonly #query: CostQuery;
  readonly #limit: number;
  readonly #messages: MessageCount;
  readonly #times: AnswerTimes;
  /** The rollups that the sums are read from, the coarsest first; the records have the rest, or all. */
  readonly rollups: readonly RollupName[];

  constructor(query: CostQuery) {
    const limit = query.limit ?? defaultLimit;
    invariant(
      Number.isInteger(limit) && limit >= 1 && limit <= maxCostGroups,
      `${limit} groups are within the limit`,
    );
    invariant(new Set(query.groupBy).size === query.groupBy.length, 'no field is grouped by twice');
    invariant(
      query.previous === undefined || !query.groupBy.some(isTimeField),
      'times are not compared with the same times of another period',
    );
    invariant(
      query.hasCompleted !== true || fieldsWithoutCompleted(query).length === 0,
      'messages have the fields',
    );
    this.#query = query;
    this.#limit = limit;
    this.#messages = query.messages ?? 'estimated';
    this.#times = new AnswerTimes(query);
    this.rollups = rollupsFor(query, this.#times);
  }

  /** Whether distinct messages, as they are asked for, are not counted in the records. */
  get hasMessagesInRollup(): boolean {
    if (this.#messages === 'none') return true;
    return this.#messages === 'estimated' && fits(this.#query, this.#times, spendRollups.day);
  }

  /** What the sums are asked of. */
  get source(): SpendSource {
    return sourceOf(this.#pieces(this.rollups));
  }

  toSql(database: string): BoundSql {
    const { groupBy } = this.#query;
    const table = `${database}.usage`;
    const { previous, hasCompleted = false } = this.#query;
    const spend = this.#rows(table, this.#pieces(this.rollups), spendParts(spendSumNames));
    const measures = previous === undefined ? totals : comparedTotals;
    // The total's row comes first; one group more than the limit tells whether there are more.
    const tail =
      groupBy.length === 0 ? [] : [`ORDER BY is_total DESC, ${this.#order()}`, `LIMIT ${this.#limit + 2}`];
    const joined = [
      ...(this.#messages === 'none' ? [] : [{ name: 'messages', lines: this.#messageLines(table) }]),
      ...(hasCompleted ? [{ name: 'completed', lines: this.#completedLines(database) }] : []),
    ].flatMap(({ name, lines }) => [
      ' LEFT JOIN (',
      ...lines,
      `) AS ${name} USING (${['is_total', ...groupBy.map(columnName)].join(', ')})`,
    ]);
    const grouped = this.#grouped(measures, spend);
    const lines =
      joined.length === 0
        ? [...grouped, ...tail]
        : ['SELECT * FROM (', ...grouped, ') AS spend', ...joined, ...tail];
    return { sql: lines.join('\n'), parameters: this.#parameters() };
  }

  /** Messages that completed, of each group and of all. */
  #completedLines(database: string): string[] {
    const columns = this.#query.groupBy.filter(isColumnField).map(columnOf);
    const selected = [...columns, ...namedAs(this.#times.over('ts')), 'message_id'].join(', ');
    const conditions = [
      "outcome = 'completed'",
      ...boundsOf(this.#query),
      ...filterConditions(this.#query.filters),
    ];
    return this.#grouped(
      ['count() AS total_completed'],
      `SELECT ${selected} FROM ${database}.message_outcomes WHERE ${conditions.join(' AND ')}`,
    );
  }

  /** Distinct messages of each group and of all: merged from sketches, or counted in the records. */
  #messageLines(table: string): string[] {
    if (this.#messages === 'exact') {
      const { groupBy } = this.#query;
      const columns = [...groupBy.filter(isColumnField).map(columnOf), ...namedAs(labelsOf(groupBy))];
      const source = `SELECT ${[...columns, ...namedAs(this.#times.over('ts')), 'message_id'].join(', ')} FROM ${table}`;
      const conditions = [...boundsOf(this.#query), ...filterConditions(this.#query.filters)];
      const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
      return this.#grouped([`${exactMessages} AS total_messages`], `${source}${where}`);
    }
    const rollups = fits(this.#query, this.#times, spendRollups.day) ? (['day'] as const) : [];
    const { part_messages } = spendRollups.day.aggregates;
    return this.#grouped(
      [`${mergedMessages} AS total_messages`],
      this.#rows(table, piecesOf(this.#query, { rollups, times: this.#times }), { part_messages }),
    );
  }

  /** Rows of parts as groups and their total. */
  #grouped(measures: readonly string[], rows: string): string[] {
    const { groupBy } = this.#query;
    const columns = groupBy.map(columnName);
    const isTotal = groupBy.length === 0 ? 'toUInt8(1) AS is_total' : `grouping(${columns[0]}) AS is_total`;
    return [
      `SELECT ${[isTotal, ...groupBy.map(answerColumn), ...measures].join(', ')} FROM (`,
      rows,
      ')',
      ...(groupBy.length === 0 ? [] : [`GROUP BY GROUPING SETS ((${columns.join(', ')}), ())`]),
    ];
  }

  #rows(table: string, pieces: readonly SpendPiece[], aggregates: Readonly<Record<string, string>>): string {
    const { groupBy } = this.#query;
    return spendRowsSql({
      table,
      columns: groupBy.filter(isColumnField).map(columnOf),
      expressions: labelsOf(groupBy),
      aggregates,
      pieces,
      conditions: filterConditions(this.#query.filters),
    });
  }

  #pieces(rollups: readonly RollupName[]): SpendPiece[] {
    const { previous } = this.#query;
    const times = this.#times;
    if (previous === undefined) return piecesOf(this.#query, { rollups, times });
    return [
      ...piecesOf(this.#query, { rollups, times, number: 0 }),
      ...piecesOf(previous, { rollups, times, number: 1, prefix: previousPrefix }),
    ];
  }

  /** The report in the rows that the statement gave. */
  read(rows: readonly Readonly<Record<string, unknown>>[]): CostReport {
    const totalRow = rows.find((row) => Number(row['is_total']) === 1);
    const groupRows = rows.filter((row) => Number(row['is_total']) !== 1);
    return {
      groups: groupRows.slice(0, this.#limit).map((row) => ({
        group: Object.fromEntries(
          this.#query.groupBy.map((field) => [field, groupValue(field, row[columnName(field)])]),
        ),
        ...this.#figures(row),
      })),
      total: this.#figures(totalRow ?? {}),
      messages: this.#messages,
      source: this.source,
      isTruncated: groupRows.length > this.#limit,
    };
  }

  #figures(row: Readonly<Record<string, unknown>>): PeriodFigures {
    const { previous, hasCompleted = false } = this.#query;
    return {
      ...readFigures(row, { hasMessages: this.#messages !== 'none' }),
      ...(previous === undefined ? {} : { previous: readFigures(row, { prefix: 'previous' }) }),
      ...(hasCompleted ? { completedMessages: readCount(row, 'total_completed') } : {}),
    };
  }

  #parameters(): Record<string, unknown> {
    return {
      ...boundParameters(this.#query),
      ...boundParameters(this.#query.previous ?? {}, previousPrefix),
      ...filterParameters(this.#query.filters),
    };
  }

  #order(): string {
    const { by, direction } = this.#query.order ?? { by: 'cost', direction: 'desc' };
    const word = direction === 'asc' ? 'ASC' : 'DESC';
    const { groupBy } = this.#query;
    const columns = groupBy.map(columnName);
    if (by === 'group') return columns.map((column) => `${column} ${word}`).join(', ');
    return [`${orderExpressions[by]} ${word}`, ...columns.map((column) => `${column} ASC`)].join(', ');
  }
}

/** How many records a period has: without filters the engine counts them without reading most of them. */
export function recordsSql(
  { from, to, filters }: Period & Pick<CostQuery, 'filters'>,
  database: string,
): BoundSql {
  const conditions = [...boundsOf({ from, to }), ...filterConditions(filters)];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return {
    sql: `SELECT count() AS records FROM ${database}.usage${where}`,
    parameters: { ...boundParameters({ from, to }), ...filterParameters(filters) },
  };
}

/** Asks the store, within the limits if there are any, and reads its answer. */
export async function runCostQuery(
  store: ColumnStore,
  query: CostQuery,
  limits?: QueryLimits,
): Promise<CostReport> {
  const ask = (bound: BoundSql): Promise<Record<string, unknown>[]> =>
    limits === undefined
      ? store.query<Record<string, unknown>>(bound.sql, bound.parameters)
      : queryWithin<Record<string, unknown>>(store, bound, limits);
  const report = new CostReportQuery({ ...query, messages: query.messages ?? (await messagesFor(query)) });
  return report.read(await ask(report.toSql(store.database)));

  async function messagesFor(period: Period): Promise<MessageCount> {
    const [row] = await ask(recordsSql({ from: period.from, to: period.to }, store.database));
    return Number(row?.['records'] ?? 0) > maxExactRecords ? 'estimated' : 'exact';
  }
}

/** What pieces of a period are asked of. */
export function sourceOf(pieces: readonly SpendPiece[]): SpendSource {
  const isOfRollup = new Set(pieces.map(({ rollup }) => rollup !== undefined));
  if (isOfRollup.size > 1) return 'both';
  return isOfRollup.has(true) ? 'rollups' : 'records';
}

/** The rollups that together have the period of the question but for its edges. */
export function rollupsFor(query: CostQuery, times: AnswerTimes): readonly RollupName[] {
  if (fits(query, times, spendRollups.day)) return ['day', 'hour'];
  return (['hour', 'customers'] as const)
    .filter((name) => fits(query, times, spendRollups[name]))
    .slice(0, 1);
}

/** Whether a rollup has every field that the question groups or filters by. */
function fits({ groupBy, filters = {} }: CostQuery, times: AnswerTimes, rollup: SpendRollup): boolean {
  const has = (field: CostFilterField | 'waste'): boolean => rollup.keys.includes(columnOf(field));
  return (
    times.areIn(rollup) &&
    ![...groupBy, ...Object.keys(filters)].some(isLabelField) &&
    groupBy.filter(isColumnField).every(has) &&
    costFilterFields.every((field) => filters[field] === undefined || has(field))
  );
}

function isColumnField(field: CostGroupField): field is CostFilterField | 'waste' {
  return !isTimeField(field) && !isLabelField(field);
}

/** The name of a field's column in the answer. */
function columnName(field: CostGroupField): string {
  return isLabelField(field) ? labelColumn(field) : field;
}

/** The labels among fields, as SQL by their columns. */
function labelsOf(fields: readonly CostGroupField[]): Record<string, string> {
  return Object.fromEntries(
    fields
      .filter((field): field is LabelField => isLabelField(field))
      .map((field) => [labelColumn(field), labelValueSql(field)]),
  );
}

function answerColumn(field: CostGroupField): string {
  if (isTimeField(field)) return timeColumn(field);
  if (isLabelField(field)) return labelColumn(field);
  return field === 'waste' ? `${wasteReasonSql} AS waste` : field;
}

/** A value of the answer as reports have it: months and weeks come as their first days. */
function groupValue(field: CostGroupField, value: unknown): string {
  const text = String(value);
  if (field === 'month') return text.slice(0, 7);
  return field === 'week' ? isoWeek(text) : text;
}
