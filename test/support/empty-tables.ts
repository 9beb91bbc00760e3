import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';

/** Counts that triggers keep of the rows of a table: what TRUNCATE of the table forgets. */
const countsOf: Readonly<Record<string, string>> = {
  'millrace.messages': `kind <> 'unsettled'`,
  'millrace.calls': `kind = 'unsettled'`,
};

/**
 * Empties tables, with what is counted of them, as TRUNCATE would, but in a hundredth of its time where there are few
 * rows: TRUNCATE makes new files for every table and index. Tables that refer to others stand before those.
 */
export async function emptyTables(database: SqlDatabase, tables: readonly string[]): Promise<void> {
  const statements = tables.flatMap((table) => {
    const kinds = countsOf[table];
    const counts = kinds === undefined ? [] : ['millrace.ledger_counts', 'millrace.ledger_count_changes'];
    return [`delete from ${table}`, ...counts.map((count) => `delete from ${count} where ${kinds}`)];
  });
  await database.execute(statements.join(';\n'));
}
