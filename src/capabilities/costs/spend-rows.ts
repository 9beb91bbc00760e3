import { type SpendSum, spendSumNames, spendSums } from '../../engine/export/spend-sums.ts';

/*
 * Rollups are aggregating projections of `usage`: each part of the table carries its own sums, written with its rows, merged,
 * mutated and dropped with them, so that the two cannot differ. A question reads one by asking in its terms: the rollup's
 * hour or day instead of the time, its keys, and the very expressions of spend-sums.ts. A period is therefore asked in
 * pieces, the whole days and hours in it from rollups and the edges from the rows:
 *
 *   from ─ rows ─┬─ hours ─┬─ days ─┬─ hours ─┬─ rows ─ to
 *
 * Parts that lack a projection, and questions that a chosen filter makes unfit for it, are read from their rows: the engine
 * decides that for itself, and the sums are the same.
 */

/** Columns of `usage` that reports group by. Rollups are keyed by some of them; no rollup has `via`. */
export type SpendColumn =
  | 'team'
  | 'customer'
  | 'feature'
  | 'batch'
  | 'pipeline'
  | 'stage'
  | 'provider'
  | 'model'
  | 'via'
  | 'waste_reason';

export interface SpendRollup {
  readonly projection: string;
  /** The time of its rows, over the columns of `usage`. */
  readonly time: string;
  readonly stepMs: number;
  readonly keys: readonly SpendColumn[];
  /** What it holds, by the names under which parts give it. */
  readonly aggregates: Readonly<Record<string, string>>;
}

const hourMs = 3_600_000;
const allSums: Readonly<Record<string, string>> = spendParts(spendSumNames);
const ofMessage = "message_id, message_id != toUUID('00000000-0000-0000-0000-000000000000')";
const withoutCustomer: readonly SpendColumn[] = ['team', 'feature', 'pipeline', 'stage', 'provider', 'model'];

/** A state of the sketch that estimates distinct messages, to be merged by `mergedMessages`. */
const messageSketch = `uniqCombined64IfState(12)(${ofMessage})`;
/** Distinct messages in sketches, within some percent; few are counted exactly. */
export const mergedMessages = 'uniqCombined64IfMerge(12)(part_messages)';
/** Distinct messages, exactly, over rows of `usage`. */
export const exactMessages = `uniqExactIf(${ofMessage})`;

/** Every projection of `usage`. The migrations hold the same text; a test compares them. */
export const spendRollups = {
  /** Spend by the day, with sketches of messages: by the hour these would have as many entries as messages. */
  day: {
    projection: 'spend_by_day',
    time: "toDate(ts, 'UTC')",
    stepMs: 24 * hourMs,
    keys: withoutCustomer,
    aggregates: { ...allSums, part_messages: messageSketch },
  },
  /** Spend by the hour, also of batches and by why it was wasted. */
  hour: {
    projection: 'spend_by_hour',
    time: 'toStartOfHour(ts)',
    stepMs: hourMs,
    keys: [...withoutCustomer, 'batch', 'waste_reason'],
    aggregates: allSums,
  },
  /** Spend of customers by the day. */
  customers: {
    projection: 'customers_by_day',
    time: "toDate(ts, 'UTC')",
    stepMs: 24 * hourMs,
    keys: ['team', 'customer', 'feature'],
    aggregates: allSums,
  },
} as const satisfies Readonly<Record<string, SpendRollup>>;

export type RollupName = keyof typeof spendRollups;

/** The statement that defines a rollup's projection. */
export function projectionSql({ time, keys, aggregates }: SpendRollup): string {
  const key = [time, ...keys].join(', ');
  return `SELECT ${key}, ${Object.values(aggregates).join(', ')} GROUP BY ${key}`;
}

/** Some of the sums by the names that parts give them: `part_cost` and so on. */
export function spendParts(sums: readonly SpendSum[]): Readonly<Record<string, string>> {
  return Object.fromEntries(sums.map((name) => [`part_${name}`, spendSums[name]]));
}

/** A piece of a period: what it takes of a rollup, or of the records. */
export interface SpendPiece {
  /** Absent: the records. */
  readonly rollup?: RollupName;
  /** The times of its parts as SQL over `usage`, by the names under which they come. */
  readonly times: Readonly<Record<string, string>>;
  /** On the rollup's time, or on `ts`. */
  readonly within: readonly string[];
  /** The number of its period, where the question has more than one: it comes as `part_period`. */
  readonly period?: number | undefined;
}

export interface SpendRows {
  readonly table: string;
  readonly columns: readonly string[];
  /** What else the parts are by, as SQL over the records, by the names under which they come. No rollup has them. */
  readonly expressions?: Readonly<Record<string, string>>;
  readonly aggregates: Readonly<Record<string, string>>;
  /** At least one. */
  readonly pieces: readonly SpendPiece[];
  /** On the columns. */
  readonly conditions: readonly string[];
}

/** Parts of sums: a row for each value of the columns, times and piece of the period. Sum them up by `part_…`. */
export function spendRowsSql({
  table,
  columns,
  expressions = {},
  aggregates,
  pieces,
  conditions,
}: SpendRows): string {
  return pieces
    .map(({ times, within, period }) => {
      const groups = [...columns, ...Object.keys(expressions), ...Object.keys(times)];
      const values = [
        ...columns,
        ...namedAs(expressions),
        ...namedAs(times),
        ...namedAs(aggregates),
        ...(period === undefined ? [] : [`toUInt8(${period}) AS part_period`]),
      ];
      const where = [...within, ...conditions];
      return [
        `SELECT ${values.join(', ')} FROM ${table}`,
        ...(where.length === 0 ? [] : [`WHERE ${where.join(' AND ')}`]),
        ...(groups.length === 0 ? [] : [`GROUP BY ${groups.join(', ')}`]),
      ].join(' ');
    })
    .join('\nUNION ALL\n');
}

/** Expressions with their names. */
export function namedAs(expressions: Readonly<Record<string, string>>): string[] {
  return Object.entries(expressions).map(([name, expression]) => `${expression} AS ${name}`);
}
