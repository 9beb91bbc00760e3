import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate, postgresMigrations } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { newId } from '../../src/kernel/ids.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';

/* A ledger of the time before the outcome that nobody knows had the name of its state and its settlement. */

let directory = '';
let database: PgliteSqlDatabase;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-outcomes-'));
  database = await PgliteSqlDatabase.open({});
});
afterAll(async () => {
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

/** State, outcome and settlement as they were, and the outcome now. The second was corrected by an operator. */
const calls = [
  ['unsettled', 'unknown', 'unsettled', 'unsettled'],
  ['settled', 'unknown', 'reported', 'unsettled'],
  ['settled', 'ok', 'reported', 'ok'],
  ['settled', 'cancelled', 'estimated', 'cancelled'],
] as const;

it('calls the outcome of calls unsettled that nobody knows', async () => {
  const before = (await postgresMigrations()).filter(({ name }) => name < '0037');
  for (const { name } of before) {
    await copyFile(join(packageRoot(), 'postgres', 'migrations', name), join(directory, name));
  }
  await migrate(database, directory);
  const rows = calls.map(
    ([state, outcome, settlement], index) =>
      `('${newId(new Date())}', 'step', ${index + 1}, 1, '${state}', 'openai', 'gpt-5-mini', 'chat', 'standard', 'single', 'digest', now(), now(),
        '${outcome}', '${settlement}')`,
  );
  await database.execute(`
    insert into millrace.calls (id, step, ordinal, attempt, state, provider, model, operation, tier, request_kind, request_digest,
      reserved_at, settled_at, outcome, settlement)
    values ${rows.join(', ')};`);

  await migrate(database);
  const { rows: found } = await database.query<{ outcome: string }>({
    name: 'test.outcomes',
    text: 'select outcome from millrace.calls order by ordinal',
  });
  expect(found.map(({ outcome }) => outcome)).toEqual(calls.map(([, , , now]) => now));
});
