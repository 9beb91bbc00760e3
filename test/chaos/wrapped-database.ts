import type { SqlDatabase, SqlExecutor } from '../../src/drivers/sql-database/sql-database.ts';

/** The database with something around each statement, within transactions and outside. */
export function wrappedDatabase(
  database: SqlDatabase,
  wrap: (executor: SqlExecutor) => SqlExecutor,
): SqlDatabase {
  return {
    kind: database.kind,
    ...wrap(database),
    transaction: (work) => database.transaction((transaction) => work(wrap(transaction))),
    connections: () => database.connections(),
    ping: () => database.ping(),
    close: () => database.close(),
  };
}
