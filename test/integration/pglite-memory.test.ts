import { expect, it } from 'vitest';
import { openPglite } from '../../src/drivers/sql-database/pglite-template.ts';

it('analyses a bounded number of rows, which PGlite holds in memory that never shrinks', async () => {
  const notices: string[] = [];
  const database = await openPglite(undefined);
  await database.exec('create table many as select generate_series(1, 20000) as id');
  await database.exec('analyze verbose many', {
    onNotice: ({ message }) => notices.push(message ?? ''),
  });
  await database.close();
  expect(notices.join('\n')).toContain('6000 rows in sample');
});
