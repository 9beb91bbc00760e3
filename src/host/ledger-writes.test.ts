import { expect, it } from 'vitest';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { sqlError } from '../drivers/sql-database/sql-error.ts';
import { ManualClock } from '../kernel/manual-clock.ts';
import { LedgerWrites } from './ledger-writes.ts';

const insert = { name: 'test.insert', text: 'insert into t values ($1)' };
const select = { name: 'test.select', text: 'select 1' };

it('tells of a full disk that answers a ping and reads, until writes succeed again', async () => {
  const clock = new ManualClock();
  const writes = new LedgerWrites(clock);
  let isFull = true;
  const fullDisk = Object.assign(new Error('No space left on device'), { code: '53100' });
  const database = writes.watch({
    ping: () => Promise.resolve(),
    query: ({ name }: { name: string }) =>
      isFull && name === insert.name
        ? Promise.reject(sqlError(fullDisk, name))
        : Promise.resolve({ rows: [], affected: 1 }),
  } as unknown as SqlDatabase);
  const write = () => database.query(insert, [1]).catch(() => undefined);
  await writes.check();
  for (let read = 0; read < 1_000; read += 1) await database.query(select);
  for (const _ of [1, 2]) await write();
  await writes.check();
  await write();
  await expect(writes.check()).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_UNAVAILABLE' });
  isFull = false;
  for (let count = 0; count < 20; count += 1) await write();
  await writes.check();
});

it.each([
  ['with a as (select 1 as n), b as (select * from a for update) select * from b', false],
  [
    "with a as materialized (select updated_at from t) select count(*) from a where note = 'insert into'",
    false,
  ],
  ['with a as (update millrace.t set n = 1 returning *) select * from a', true],
  ['with a as (select 1 as n)\n insert into millrace.t select n from a', true],
  ['with a as (\n  delete from millrace.t returning *) select count(*) from a', true],
  ['with a as (select 1)\n update millrace.t m set n = 2 from a', true],
])('tells a statement that writes by its parts: %s', async (text, isWriting) => {
  const writes = new LedgerWrites(new ManualClock());
  const fullDisk = Object.assign(new Error('No space left on device'), { code: '53100' });
  let isFull = true;
  const database = writes.watch({
    query: () =>
      isFull ? Promise.reject(sqlError(fullDisk, 'test')) : Promise.resolve({ rows: [], affected: 1 }),
  } as unknown as SqlDatabase);
  for (const _ of [1, 2, 3]) await database.query(insert).catch(() => undefined);
  isFull = false;
  for (let count = 0; count < 100; count += 1) await database.query({ name: 'test', text });
  const outcome = await writes.check().then(
    () => 'well',
    (error: unknown) => String(error),
  );
  expect(outcome).toMatch(isWriting ? /^well$/ : /3 of the latest 3 writes/);
});

it('forgets failures after half a minute, and takes none for the store when the data is to blame', async () => {
  const clock = new ManualClock();
  const writes = new LedgerWrites(clock);
  let code = '53100';
  const database = writes.watch({
    query: () => Promise.reject(sqlError(Object.assign(new Error('no'), { code }), 'test.insert')),
  } as unknown as SqlDatabase);
  for (const _ of [1, 2, 3]) await database.query(insert).catch(() => undefined);
  await expect(writes.check()).rejects.toThrow('3 of the latest 3 writes');
  clock.advance(31_000);
  await writes.check();
  code = '22003';
  for (const _ of [1, 2, 3]) await database.query(insert).catch(() => undefined);
  await writes.check();
});
