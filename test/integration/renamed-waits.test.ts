import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate, postgresMigrations } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { newId } from '../../src/kernel/ids.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';

/* A ledger of the time before waits had their present names, with messages that waited and messages that were leased. */

let directory = '';
let database: PgliteSqlDatabase;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-waits-'));
  database = await PgliteSqlDatabase.open({});
});
afterAll(async () => {
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

const names = [
  ['hold', 'pause'],
  ['hold:0198', 'pause:0198'],
  ['breaker:openai/gpt-5-mini', 'circuit:openai/gpt-5-mini'],
  ['retry:MILLRACE_LEASE_LOST', 'retry:MILLRACE_LEASE_EXPIRED'],
  ['retry:MILLRACE_ANSWER_DEGENERATE', 'retry:MILLRACE_OUTPUT_INVALID'],
  ['rate_limit:openai/gpt-5-mini', 'rate_limit:openai/gpt-5-mini'],
  ['holding', 'holding'],
] as const;

it('tells what messages wait for by the present names, also of those that were leased meanwhile', async () => {
  const before = (await postgresMigrations()).filter(({ name }) => name < '0029');
  for (const { name } of before) {
    await copyFile(join(packageRoot(), 'postgres', 'migrations', name), join(directory, name));
  }
  await migrate(database, directory);
  const rows = names.flatMap(([waitsFor]) =>
    ['pending', 'leased'].map(
      (state) => `('${newId(new Date())}'::uuid, '${state}', ${state === 'leased'}, '${waitsFor}')`,
    ),
  );
  await database.execute(`
    insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer,
      feature, item, trace_parent, body, body_bytes, state, lease_owner, lease_until, leased_at, available_at, wake_at, created_at,
      admitted_at, waits_for, waits_since)
    select id, id, 'test', id::text, 'thing', 1, 'default', 'first', 'platform', 'standard', 'blue', 'acme', 'search', id::text, '',
      '{}', 2, state, case when is_leased then 'worker-1' end, case when is_leased then now() end,
      case when is_leased then now() end, now(), now(), now(), now(), waits_for, now()
    from (values ${rows.join(', ')}) as v(id, state, is_leased, waits_for);`);

  await migrate(database);
  const { rows: found } = await database.query<{ state: string; waits_for: string }>({
    name: 'test.waits',
    text: 'select state, waits_for from millrace.messages order by id',
  });
  const now = (wanted: string) =>
    found
      .filter(({ state }) => state === wanted)
      .map(({ waits_for: name }) => name)
      .toSorted();
  const expected = names.map(([, present]) => present).toSorted();
  expect(now('pending')).toEqual(expected);
  expect(now('leased')).toEqual(expected);
});
