import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrate, pendingMigrations } from '../../src/drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';

function migratorSuite(open: () => Promise<SqlDatabase>): void {
  let database: SqlDatabase;
  let directory: string;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-migrations-'));
    await database.execute('drop schema if exists millrace cascade');
    write('0001-first.sql', 'create table millrace.first (id int); create table millrace.also (id int);');
    write('0002-second.sql', 'create table millrace.second as select * from millrace.first;');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const write = (name: string, script: string): void => writeFileSync(join(directory, name), script);

  it('applies what is pending, in order, once', async () => {
    expect(await pendingMigrations(database, directory)).toEqual(['0001-first.sql', '0002-second.sql']);
    expect(await migrate(database, directory)).toEqual(['0001-first.sql', '0002-second.sql']);
    expect(await pendingMigrations(database, directory)).toEqual([]);
    expect(await migrate(database, directory)).toEqual([]);
    write('0003-third.sql', 'insert into millrace.second values (3);');
    expect(await migrate(database, directory)).toEqual(['0003-third.sql']);
    const { rows } = await database.query<{ name: string; applied_at: Date }>({
      name: 'test.applied',
      text: 'select name, applied_at from millrace.migrations order by name',
    });
    expect(rows.map((row) => row.name)).toEqual(['0001-first.sql', '0002-second.sql', '0003-third.sql']);
    expect(rows[0]?.applied_at).toBeInstanceOf(Date);
  });

  it('applies a migration wholly or not at all', async () => {
    write('0002-second.sql', 'create table millrace.half (id int); create table millrace.half (id int);');
    await expect(migrate(database, directory)).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_FAILED' });
    expect(await pendingMigrations(database, directory)).toEqual(['0002-second.sql']);
    const { rows } = await database.query({
      name: 'test.half',
      text: `select to_regclass('millrace.half') as half`,
    });
    expect(rows).toEqual([{ half: null }]);
  });

  it('refuses an applied migration that has changed, and touches nothing', async () => {
    await migrate(database, directory);
    write('0001-first.sql', 'create table millrace.first (id bigint);');
    write('0003-third.sql', 'create table millrace.third (id int);');
    await expect(migrate(database, directory)).rejects.toMatchObject({ code: 'MILLRACE_MIGRATION_CHANGED' });
    await expect(pendingMigrations(database, directory)).rejects.toMatchObject({
      code: 'MILLRACE_MIGRATION_CHANGED',
    });
    const { rows } = await database.query({
      name: 'test.third',
      text: `select to_regclass('millrace.third') as third`,
    });
    expect(rows).toEqual([{ third: null }]);
  });

  it('leaves alone what a newer release has applied', async () => {
    write('0003-newer.sql', 'create table millrace.newer (id int);');
    await migrate(database, directory);
    rmSync(join(directory, '0003-newer.sql'));
    expect(await migrate(database, directory)).toEqual([]);
  });

  it('lets several starters run at once', async () => {
    const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(database, directory)));
    expect(applied.flat().toSorted()).toEqual(['0001-first.sql', '0002-second.sql']);
  });
}

describe('migrator on PGlite', () => migratorSuite(() => PgliteSqlDatabase.open()));

describe.skipIf(!canRun(postgresPrograms()))('migrator on PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start({ settings: { fsync: 'off' } });
  });
  afterAll(() => server.stop());
  migratorSuite(() =>
    PostgresSqlDatabase.open({
      connectionString: server.connectionString,
      poolSize: 4,
      statementTimeoutMs: 10_000,
      applicationName: 'migrator',
    }),
  );
});
