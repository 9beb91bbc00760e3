import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { wrappedDatabase } from './wrapped-database.ts';

/*
 * What takes a quarter of an hour with providers' batches takes seconds here: the lease of a process that died, and the time after which
 * what is not listed was never sent. Both are judged by what stands in the ledger, which is written accordingly.
 */

const leaseMs = 20_000;
/** The driver's quiet time, and what is left of it. */
const quietMs = 15 * 60_000;
const leftMs = 15_000;
/** Between two looks: what an embedded host wrote while its clock was an hour ahead would be due in an hour. */
const longestWaitMs = 10_000;

/** Where statements are given the length of a lease, and the beginning of a step. */
const leasesAt: Readonly<Record<string, number>> = {
  'provider-batches.claim': 1,
  'provider-batches.renew': 2,
  'provider-batches.begin-settling': 2,
  'provider-batches.move': 5,
};
/** Where the statement that moves a batch on is given when the batch is due, and when its step began. */
const move = { statement: 'provider-batches.move', dueAt: 4, beganAt: 6 } as const;

/** The database in which providers' batches wait for seconds where they would for minutes. */
export function withHastyProviderBatches(database: SqlDatabase): SqlDatabase {
  return wrappedDatabase(database, (inner) => ({
    query: (statement, parameters) => inner.query(statement, hastened(statement.name, parameters)),
    execute: (script) => inner.execute(script),
  }));
}

function hastened(
  statement: string,
  parameters: readonly unknown[] | undefined,
): readonly unknown[] | undefined {
  const leaseAt = leasesAt[statement];
  if (leaseAt === undefined || parameters === undefined) return parameters;
  const isMove = statement === move.statement;
  if (!isLength(parameters[leaseAt]) || (isMove && !(parameters[move.dueAt] instanceof Date)))
    throw new Error(`${statement} is no longer given what it was`);
  return parameters.map((value, at) => {
    if (at === leaseAt && typeof value === 'number') return Math.min(value, leaseMs);
    if (!isMove || !(value instanceof Date)) return value;
    if (at === move.dueAt) return new Date(Math.min(value.getTime(), Date.now() + longestWaitMs));
    return at === move.beganAt ? earlier(value) : value;
  });
}

function isLength(value: unknown): boolean {
  return value === null || typeof value === 'number';
}

/** A beginning that was moved already stays where it is. The clock that it was read from may be an hour ahead. */
function earlier(beganAt: Date): Date {
  const nowMs = Date.now();
  if (nowMs - beganAt.getTime() > quietMs / 2) return beganAt;
  return new Date(Math.min(nowMs, beganAt.getTime()) - quietMs + leftMs);
}
