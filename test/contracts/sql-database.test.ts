import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { sqlDatabaseContract } from './sql-database.contract.ts';

describe('PGlite in memory', () => {
  sqlDatabaseContract(() => PgliteSqlDatabase.open());
});

describe('PGlite on disk', () => {
  const home = mkdtempSync(join(tmpdir(), 'millrace-pglite-'));
  let opened = 0;
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  sqlDatabaseContract(() => {
    opened += 1;
    return PgliteSqlDatabase.open({ dataDirectory: join(home, 'deep', `database-${opened}`) });
  });
});

describe.skipIf(!canRun(postgresPrograms()))('PostgreSQL', () => {
  let server: PostgresServer;
  let made = 0;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.stop());

  const options = { poolSize: 4, statementTimeoutMs: 10_000, applicationName: 'contract' };

  describe('contract', () => {
    sqlDatabaseContract(async () => {
      made += 1;
      const connectionString = await server.createDatabase(`contract_${made}`);
      return await PostgresSqlDatabase.open({ ...options, connectionString });
    });
  });

  it('never compiles a statement of milliseconds for seconds', async () => {
    const database = await PostgresSqlDatabase.open({
      ...options,
      connectionString: server.connectionString,
    });
    const { rows } = await database.query({ name: 'test.jit', text: 'show jit' });
    await database.close();
    expect(rows).toEqual([{ jit: 'off' }]);
  });

  it('sets what it relies on in the session, whatever the role says', async () => {
    const connectionString = await server.createDatabase('odd_settings');
    const plain = await PostgresSqlDatabase.open({ ...options, connectionString });
    await plain.execute(`
      alter database odd_settings set datestyle = 'German, DMY';
      alter database odd_settings set timezone = 'Asia/Kathmandu';
      alter database odd_settings set search_path = 'nowhere';
      alter database odd_settings set intervalstyle = 'iso_8601';
      alter database odd_settings set bytea_output = 'escape';
      alter database odd_settings set standard_conforming_strings = off;
      alter database odd_settings set extra_float_digits = -10;
      alter database odd_settings set plan_cache_mode = force_generic_plan`);
    await plain.close();
    const database = await PostgresSqlDatabase.open({ ...options, connectionString });
    const { rows } = await database.query({
      name: 'test.settings',
      text: `select '2026-03-04T05:06:07Z'::timestamptz as at, (1 / 3::float8)::text as third, '\\x' as text,
        current_setting('search_path') as path, '1 day'::interval::text as day, '\\xff'::bytea::text as bytes`,
    });
    await database.close();
    expect(rows).toEqual([
      {
        at: new Date('2026-03-04T05:06:07Z'),
        third: '0.3333333333333333',
        text: '\\x',
        path: 'public',
        day: '1 day',
        bytes: '\\xff',
      },
    ]);
  });

  it('refuses a way to the server on which the settings of the session are lost', async () => {
    const url = `${server.connectionString}?options=${encodeURIComponent('-c jit=on')}`;
    await expect(PostgresSqlDatabase.open({ ...options, connectionString: url })).rejects.toThrow(
      /did not take these settings.*pgbouncer/,
    );
  });

  it('lets go of every connection to a server that takes no writes, once one has met it', async () => {
    const connectionString = await server.createDatabase('failed_over');
    const administrator = await PostgresSqlDatabase.open({ ...options, connectionString });
    await administrator.execute(
      'create table kept (id int); alter database failed_over set default_transaction_read_only = on',
    );
    const database = await PostgresSqlDatabase.open({ ...options, connectionString });
    const nap = { name: 'test.nap', text: 'select pg_sleep(0.2)::text' };
    await Promise.all([1, 2, 3, 4].map(() => database.query(nap)));
    expect(database.connections().inUse).toBe(0);
    await administrator.execute(
      'set transaction_read_only = off; alter database failed_over reset default_transaction_read_only',
    );
    await administrator.close();
    const keep = { name: 'test.keep-one', text: 'insert into kept values ($1)' };
    // The one that meets it fails; those behind it get connections that were made since.
    await expect(database.query(keep, [1])).rejects.toMatchObject({
      code: 'MILLRACE_DATABASE_UNAVAILABLE',
      retryable: true,
    });
    await Promise.all([2, 3, 4, 5, 6].map((id) => database.query(keep, [id])));
    await database.close();
  });

  describe('failures', () => {
    let database: PostgresSqlDatabase;
    const one = { name: 'test.one', text: 'select 1 as one' };
    const works = async (): Promise<boolean> =>
      database.query(one).then(
        () => true,
        () => false,
      );
    beforeAll(async () => {
      database = await PostgresSqlDatabase.open({
        ...options,
        statementTimeoutMs: 1000,
        connectionString: server.connectionString,
      });
      await database.execute('create table if not exists kept (id int primary key)');
    });
    afterAll(() => database.close());

    it('says unavailable when its connections are cut in mid-statement, and goes on with new ones', async () => {
      const sleeping = database.query({ name: 'test.sleep', text: 'select pg_sleep(0.9)::text' });
      const outcome = sleeping.catch((error: unknown) => error);
      await expect.poll(() => activeStatements(database)).toBe(1);
      await server.terminateConnections();
      expect(await outcome).toMatchObject({ code: 'MILLRACE_DATABASE_UNAVAILABLE', retryable: true });
      await expect.poll(works).toBe(true);
    });

    it('says unavailable when a transaction loses its connection between two statements', async () => {
      const transaction = database.transaction(async (executor) => {
        await executor.query({ name: 'test.keep', text: 'insert into kept values (1)' });
        await server.terminateConnections();
        await executor.query(one);
      });
      await expect(transaction).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_UNAVAILABLE' });
      await expect.poll(works).toBe(true);
      expect((await database.query({ name: 'test.kept', text: 'select id from kept' })).rows).toEqual([]);
    });

    it('says unavailable after the statement time-out, and the statement ends on the server', async () => {
      const slow = database.query({ name: 'test.slow', text: 'select pg_sleep(30)::text' });
      await expect(slow).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_UNAVAILABLE' });
      expect(await activeStatements(database)).toBe(0);
    });

    it('says conflict on a deadlock to one of the two', async () => {
      await database.execute('truncate kept; insert into kept values (1), (2)');
      let waiting = 0;
      const lockBoth = (first: number, second: number): Promise<void> =>
        database.transaction(async (executor) => {
          const lock = { name: 'test.row', text: 'select id from kept where id = $1 for update' };
          await executor.query({ name: 'test.patience', text: `set local deadlock_timeout = '50ms'` });
          await executor.query(lock, [first]);
          waiting += 1;
          await expect.poll(() => waiting).toBe(2);
          await executor.query(lock, [second]);
        });
      const outcomes = await Promise.allSettled([lockBoth(1, 2), lockBoth(2, 1)]);
      const failures = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
      );
      expect(failures).toEqual([
        expect.objectContaining({ code: 'MILLRACE_DATABASE_CONFLICT', retryable: true }),
      ]);
    });

    it('lives through a restart and a kill of the server, with every acknowledged row', async () => {
      await database.execute('truncate kept');
      const keep = { name: 'test.keep-one', text: 'insert into kept values ($1)' };
      await database.query(keep, [1]);
      await server.restart();
      await expect.poll(works).toBe(true);
      await database.query(keep, [2]);
      await server.kill();
      await expect(database.query(keep, [3])).rejects.toMatchObject({
        code: 'MILLRACE_DATABASE_UNAVAILABLE',
      });
      await server.restart();
      await expect.poll(works).toBe(true);
      const { rows } = await database.query({ name: 'test.kept', text: 'select id from kept order by id' });
      expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
    });
  });

  it('says unavailable when nothing listens, and failed when the database does not exist', async () => {
    await expect(
      PostgresSqlDatabase.open({ ...options, connectionString: 'postgres://postgres@127.0.0.1:1/none' }),
    ).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_UNAVAILABLE' });
    await expect(
      PostgresSqlDatabase.open({ ...options, connectionString: `${server.connectionString}-none` }),
    ).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_FAILED' });
  });
});

async function activeStatements(database: PostgresSqlDatabase): Promise<number> {
  const { rows } = await database.query<{ count: string }>({
    name: 'test.active',
    text: `select count(*) as count from pg_stat_activity where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()`,
  });
  return Number(rows[0]?.count);
}
