import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';
import { connectClickHouse, openChdb } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { describeColumnStore } from './column-store.contract.ts';

const temporaryDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'millrace-column-store-'));

const connect = (
  server: ClickHouseHttpServer,
  password = serverPassword,
  requestTimeoutMs = 20_000,
): ColumnStore =>
  connectClickHouse({
    url: server.url,
    user: serverUser,
    password,
    database: 'millrace_test',
    requestTimeoutMs,
    maxConnections: 4,
  });

describeColumnStore('chDB in the process', async () => {
  const directory = await temporaryDirectory();
  const store = await openChdb({ directory, database: 'millrace_test' });
  return {
    store,
    stop: async () => {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
});

describeColumnStore('a ClickHouse server over HTTP', async () => {
  const directory = await temporaryDirectory();
  const server = new ClickHouseHttpServer(directory);
  await server.start();
  const store = connect(server);
  return {
    store,
    stop: async () => {
      await store.close();
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
});

describe('chDB in the process', () => {
  it('keeps its rows from one opening to the next', async () => {
    const directory = await temporaryDirectory();
    const first = await openChdb({ directory, database: 'millrace_test' });
    await first.command('CREATE DATABASE millrace_test');
    await first.command('CREATE TABLE millrace_test.kept (id UInt64) ENGINE = MergeTree ORDER BY id');
    await first.insert({ table: 'kept', lines: '{"id":7}\n', deduplicationToken: 'kept' });
    await first.close();
    const second = await openChdb({ directory, database: 'millrace_test' });
    expect(await second.query('SELECT id FROM millrace_test.kept')).toEqual([{ id: '7' }]);
    await second.close();
    await rm(directory, { recursive: true });
  });

  it('removes the parts that merges left behind within seconds, in new tables and in ones from before', async () => {
    const directory = await temporaryDirectory();
    const store = await openChdb({ directory, database: 'millrace_test' });
    await store.command('CREATE DATABASE millrace_test');
    await store.command('CREATE TABLE millrace_test.before (id UInt64) ENGINE = MergeTree ORDER BY id');
    await migrateColumnStore(store);
    const tables = await store.query<{ name: string; engine_full: string }>(
      "SELECT name, engine_full FROM system.tables WHERE database = 'millrace_test' ORDER BY name",
    );
    expect(tables.map(({ name }) => name)).toEqual([
      'before',
      'message_outcomes',
      'schema_migrations',
      'usage',
    ]);
    for (const { engine_full } of tables) expect(engine_full).toContain('max_cleanup_delay_period = 10');
    // Nothing is left to do at the next start.
    const command = vi.spyOn(store, 'command');
    await migrateColumnStore(store);
    expect(command).not.toHaveBeenCalled();
    await store.close();
    await rm(directory, { recursive: true });
  });

  it('closes after the statement that still runs', async () => {
    const directory = await temporaryDirectory();
    const store = await openChdb({ directory, database: 'millrace_test' });
    const running = store.query<{ n: string }>(
      'SELECT max(sipHash64(number)) > 0 AS n FROM numbers(20000000)',
    );
    await store.close();
    expect(await running).toHaveLength(1);
    await expect(store.query('SELECT 1')).rejects.toMatchObject({
      code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE',
    });
    await rm(directory, { recursive: true });
  });

  it('says which directory it could not open', async () => {
    const opening = openChdb({ directory: '/dev/null/nowhere', database: 'millrace_test' });
    await expect(opening).rejects.toMatchObject({ code: 'MILLRACE_COLUMN_STORE_FAILED', retryable: false });
    await expect(opening).rejects.toThrow(/\/dev\/null\/nowhere/);
  });

  it('says that another process uses the directory', async () => {
    const directory = await temporaryDirectory();
    const server = new ClickHouseHttpServer(directory);
    await server.start();
    await expect(openChdb({ directory, database: 'millrace_test' })).rejects.toMatchObject({
      code: 'MILLRACE_DATA_IN_USE',
    });
    await server.kill();
    const store = await openChdb({ directory, database: 'millrace_test' });
    await expect(store.ping()).resolves.toBeUndefined();
    await store.close();
    await rm(directory, { recursive: true });
  });
});

describe('a ClickHouse server over HTTP', () => {
  let directory: string;
  let server: ClickHouseHttpServer;
  let store: ColumnStore;
  const unavailable = { code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE', retryable: true };

  beforeAll(async () => {
    directory = await temporaryDirectory();
    server = new ClickHouseHttpServer(directory);
    await server.start();
    store = connect(server);
    await store.command('CREATE DATABASE millrace_test');
    await store.command('CREATE TABLE millrace_test.kept (id UInt64) ENGINE = MergeTree ORDER BY id');
  });

  afterAll(async () => {
    await store.close();
    await server.stop();
    await rm(directory, { recursive: true });
  });

  it('refuses a wrong password, also to a ping', async () => {
    const stranger = connect(server, 'wrong');
    await expect(stranger.ping()).rejects.toMatchObject({ code: 'MILLRACE_COLUMN_STORE_FAILED' });
    await expect(stranger.query('SELECT 1')).rejects.toThrow(/AUTHENTICATION_FAILED/);
    await stranger.close();
  });

  it('compresses requests and keeps its connection', async () => {
    server.encodings.length = 0;
    server.connections.clear();
    for (let id = 0; id < 5; id += 1) {
      await store.insert({ table: 'kept', lines: `{"id":${id}}\n`, deduplicationToken: `compressed-${id}` });
    }
    expect(server.encodings).toEqual(['gzip', 'gzip', 'gzip', 'gzip', 'gzip']);
    expect(server.connections.size).toBeLessThanOrEqual(2);
  });

  it.each([
    { kind: 'refuse', code: 202, name: 'TOO_MANY_SIMULTANEOUS_QUERIES', status: 500 },
    { kind: 'refuse', code: 210, name: 'NETWORK_ERROR', status: 500 },
    { kind: 'proxy-page' },
    { kind: 'cut' },
  ] as const)('calls $kind $name unavailable, and works again afterwards', async (fault) => {
    await server.arm({ statement: 'SELECT 42', ...fault });
    await expect(store.query('SELECT 42 AS n')).rejects.toMatchObject(unavailable);
    expect(await store.query('SELECT 42 AS n')).toEqual([{ n: 42 }]);
  });

  it('says so when the server has too little memory', async () => {
    await server.arm({
      statement: 'SELECT 42',
      kind: 'refuse',
      code: 241,
      name: 'MEMORY_LIMIT_EXCEEDED',
      status: 500,
    });
    await expect(store.query('SELECT 42 AS n')).rejects.toMatchObject({
      code: 'MILLRACE_COLUMN_STORE_OUT_OF_MEMORY',
      retryable: true,
    });
    expect(await store.query('SELECT 42 AS n')).toEqual([{ n: 42 }]);
  });

  it('calls a refusal of the statement itself final', async () => {
    await server.arm({
      statement: 'SELECT 42',
      kind: 'refuse',
      code: 497,
      name: 'ACCESS_DENIED',
      status: 403,
    });
    await expect(store.query('SELECT 42 AS n')).rejects.toMatchObject({
      code: 'MILLRACE_COLUMN_STORE_FAILED',
      retryable: false,
    });
  });

  it('gives up on a server that does not answer in time', async () => {
    const hasty = connect(server, serverPassword, 300);
    await server.arm({ statement: 'SELECT 43', kind: 'hang-before' });
    await expect(hasty.query('SELECT 43 AS n')).rejects.toMatchObject(unavailable);
    await server.arm({ statement: 'INSERT INTO millrace_test.kept', kind: 'hang-after' });
    await expect(
      hasty.insert({ table: 'kept', lines: '{"id":500}\n', deduplicationToken: 'hang' }),
    ).rejects.toMatchObject(unavailable);
    await hasty.close();
  });

  it('finds acknowledged rows after the server died and came back', async () => {
    await store.insert({ table: 'kept', lines: '{"id":600}\n', deduplicationToken: 'kill' });
    await server.kill();
    await expect(store.ping()).rejects.toMatchObject(unavailable);
    await expect(store.query('SELECT 1')).rejects.toMatchObject(unavailable);
    await server.start();
    expect(await store.query('SELECT count() AS n FROM millrace_test.kept WHERE id = 600')).toEqual([
      { n: '1' },
    ]);
  });

  it.each([
    { kind: 'die-before', rows: '0' },
    { kind: 'die-after', rows: '1' },
  ] as const)(
    'reports a server that $kind an insert, whose fate a look then tells',
    async ({ kind, rows }) => {
      const id = kind === 'die-before' ? 700 : 701;
      await server.arm({ statement: 'INSERT INTO millrace_test.kept', kind });
      await expect(
        store.insert({ table: 'kept', lines: `{"id":${id}}\n`, deduplicationToken: kind }),
      ).rejects.toMatchObject(unavailable);
      await server.died();
      await server.start();
      expect(await store.query(`SELECT count() AS n FROM millrace_test.kept WHERE id = ${id}`)).toEqual([
        { n: rows },
      ]);
    },
  );
});
