import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';

/*
 * A process of its own for the test that kills it: inserts rows for ever into the data directory given as argument,
 * and prints each row's number after its commit was acknowledged.
 */

const [dataDirectory] = process.argv.slice(2);
if (dataDirectory === undefined) throw new Error('usage: pglite-writer DATA_DIRECTORY');
const database = await PgliteSqlDatabase.open({ dataDirectory });
await database.execute('create table if not exists kept (id bigint generated always as identity, text text)');
const insert = { name: 'insert', text: 'insert into kept (text) values ($1) returning id' };
const payload = 'x'.repeat(2000);
for (;;) {
  const { rows } = await database.transaction((transaction) =>
    transaction.query<{ id: string }>(insert, [payload]),
  );
  process.stdout.write(`${rows[0]?.id}\n`);
}
