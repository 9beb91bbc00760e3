import fc from 'fast-check';
import { expect } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { depth } from './test-depth.ts';

/*
 * Rows for statements that many callers share, of which one in twenty holds something that cannot be written. Whatever
 * that is, the others commit.
 */

const guiltyPercent = 5;

/** How many rows go through each statement, and from which seed they are drawn. */
export const poisonRows = Number(process.env['MILLRACE_POISON_ROWS'] ?? depth({ usual: 150, full: 400 }));
export const poisonSeed = Number(process.env['MILLRACE_POISON_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));

/** Which of the odd values a guilty row gets; undefined for an innocent one. */
export type Draw = number | undefined;

export function drawPoison(count: number, seed: number): readonly Draw[] {
  const drawn = fc.sample(
    fc.noBias(
      fc.record({
        isGuilty: fc.integer({ min: 1, max: 100 }).map((percent) => percent <= guiltyPercent),
        choice: fc.nat({ max: 1_000_000 }),
      }),
    ),
    { numRuns: count, seed },
  );
  return drawn.map(({ isGuilty, choice }) => (isGuilty ? choice : undefined));
}

const cycle: { self?: unknown } = {};
cycle.self = cycle;

const unreadable = {
  get trap(): never {
    throw new Error('a getter that throws');
  },
};

const hostile = {
  toJSON: (): never => {
    throw new Error('a toJSON that throws');
  },
};

function nested(levels: number): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

/** Of no use for a column of any type, whatever the types say. */
const unwritable = [1n, cycle, unreadable, hostile, nested(100_000)] as const;

/** What no text column takes. */
export const badTexts: readonly string[] = [
  'caf\ud83d',
  '\udc00 low alone',
  'a\u0000b',
  '\ud83d\u0000',
  ...(unwritable as unknown as string[]),
];

/** What no index takes: more than a third of its page, and not to be compressed. */
export const tooLong = Array.from({ length: 9000 }, (_, at) => ((at * 7919) % 9973).toString(36)).join('');

/** What no column for whole numbers takes. */
export const badNumbers: readonly number[] = [
  2 ** 40,
  -(2 ** 40),
  1e308,
  Number.NaN,
  Infinity,
  -Infinity,
  ...(['twelve', '\ud83d', nested(500), ...unwritable] as unknown as number[]),
];

/** What is no uuid. */
export const badIds: readonly string[] = ['no uuid', '', '00000000-0000-0000-0000-00000000000g', ...badTexts];

/** Odd texts that are texts all the same: they stay what they are. */
export const oddTexts: readonly string[] = [
  '\u202Egnirts a',
  '\u2066isolate\u2069',
  'e\u0301\u200D\uFE0F',
  '"quoted" \\u0000 \\ud83d \\x',
  `{"a":"\\ud83d"}`,
  '',
  '\uFFFF\uFFFE',
  '💥'.repeat(50),
  "'; drop table millrace.messages; --",
];

/** Makes a row guilty with the value at `choice`. */
export type Poison<Row> = readonly [how: string, (row: Row, choice: number) => Row];

/** For each of the values, the row with it; whatever the types say about the value. */
export function poisoned<Row>(
  how: string,
  values: readonly unknown[],
  put: (row: Row, value: never) => Row,
): readonly Poison<Row>[] {
  return values.map((value, index) => [`${how} ${index}`, (row) => put(row, value as never)]);
}

/** For each of the values, the row with it in the field. */
export function poisonedField<Row>(field: keyof Row, values: readonly unknown[]): readonly Poison<Row>[] {
  return poisoned<Row>(String(field), values, (row, value) => ({ ...row, [field]: value }));
}

/** What is written by many at once. */
export interface PoisonCase<Row> {
  readonly name: string;
  /** The statements that it goes through. */
  readonly covers: readonly string[];
  readonly row: (index: number) => Row;
  /** Refused with an error of their own. */
  readonly refused: readonly Poison<Row>[];
  /** Written all the same, without what is odd in them. */
  readonly kept?: readonly Poison<Row>[];
  /** How many are written at the same time. Default all. */
  readonly atOnce?: number;
  /** Writes each of the rows by itself. */
  readonly write: (row: Row) => Promise<unknown>;
  /** What an innocent row is answered. */
  readonly expected: unknown;
}

/** What came of the rows, by their places. */
export interface PoisonOutcome {
  readonly written: readonly number[];
  readonly kept: readonly number[];
  readonly refused: readonly number[];
}

/** Puts rows through; fails when an innocent one is hurt, or a guilty one does not have the end that it must have. */
export async function putThrough<Row>(
  { name, row, refused, kept = [], atOnce = Infinity, write, expected }: PoisonCase<Row>,
  draws: readonly Draw[],
): Promise<PoisonOutcome> {
  const poisons = [...refused, ...kept];
  const plans = draws.map((choice, index) => {
    const innocent = row(index);
    if (choice === undefined) return { row: innocent, how: '', fate: 'written' as const };
    const at = choice % poisons.length;
    const [how, spoil] = poisons[at] ?? ['', (same: Row) => same];
    return {
      row: spoil(innocent, choice),
      how,
      fate: at < refused.length ? ('refused' as const) : ('kept' as const),
    };
  });
  const outcomes: PromiseSettledResult<unknown>[] = [];
  while (outcomes.length < plans.length) {
    const next = plans.slice(outcomes.length, outcomes.length + atOnce);
    outcomes.push(...(await Promise.allSettled(next.map((plan) => write(plan.row)))));
  }
  const wrong = outcomes.flatMap((outcome, index) => {
    const { how = '', fate } = plans[index] ?? {};
    if (isAsExpected(outcome, fate, expected)) return [];
    const got = outcome.status === 'fulfilled' ? outcome.value : messageOf(outcome.reason);
    return [{ name, index, how, fate, got }];
  });
  expect(wrong.slice(0, 3)).toEqual([]);
  const places = (fate: string): number[] =>
    plans.flatMap((plan, index) => (plan.fate === fate ? [index] : []));
  return { written: places('written'), kept: places('kept'), refused: places('refused') };
}

function isAsExpected(
  outcome: PromiseSettledResult<unknown>,
  fate: 'written' | 'refused' | 'kept' | undefined,
  expected: unknown,
): boolean {
  if (fate === 'refused') return outcome.status === 'rejected' && isClearRefusal(outcome.reason);
  return outcome.status === 'fulfilled' && JSON.stringify(outcome.value) === JSON.stringify(expected);
}

/** A refusal says that it is one, and why. */
export function isClearRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code === 'MILLRACE_DATA_REFUSED' && error.message.length > 20;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** The database, and the names of all statements that it was asked to run. */
export function watchStatements(database: SqlDatabase): {
  readonly database: SqlDatabase;
  readonly ran: ReadonlySet<string>;
} {
  const ran = new Set<string>();
  const watched: SqlDatabase = {
    kind: database.kind,
    query: (statement, parameters) => {
      ran.add(statement.name);
      return database.query(statement, parameters);
    },
    execute: (script) => database.execute(script),
    transaction: (work) => database.transaction(work),
    connections: () => database.connections(),
    ping: () => database.ping(),
    close: () => database.close(),
  };
  return { database: watched, ran };
}
