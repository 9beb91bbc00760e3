import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openChdb } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { SocketColumnStore } from '../../src/drivers/operator-socket/column-store.socket.ts';
import { OperatorConnection } from '../../src/drivers/operator-socket/operator-connection.ts';
import { OperatorServer } from '../../src/drivers/operator-socket/operator-server.ts';
import { operatorSocketPath } from '../../src/drivers/operator-socket/operator-socket-place.ts';
import { SocketSqlDatabase } from '../../src/drivers/operator-socket/sql-database.socket.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { describeColumnStore } from './column-store.contract.ts';
import { sqlDatabaseContract } from './sql-database.contract.ts';

/* The stores of a running host as a command beside it sees them. */

const home = mkdtempSync(join(tmpdir(), 'mr-socket-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

let made = 0;
const newDirectory = (...more: readonly string[]): string => {
  made += 1;
  const directory = join(home, String(made), ...more);
  mkdirSync(directory, { recursive: true });
  return directory;
};

const version = '1.2.3';
/** Stores that a test does not use. */
const absent = {} as never;
const listen = (dataDirectory: string, database: SqlDatabase, columns: ColumnStore = absent) =>
  OperatorServer.listen({
    dataDirectory,
    version,
    stores: { database, columns, queues: absent },
    bounds: { idleMs: 300, totalMs: 20_000 },
  });
const noColumns = { kind: 'chdb', database: 'millrace' } as ColumnStore;
const dial = async (dataDirectory: string): Promise<OperatorConnection> => {
  const connection = await OperatorConnection.open({ dataDirectory, version });
  if (connection === undefined) throw new Error('nobody listens');
  return connection;
};

describe('the ledger over the operator socket', () => {
  sqlDatabaseContract(async () => {
    const directory = newDirectory();
    const lent = await PgliteSqlDatabase.open();
    const server = await listen(directory, lent, noColumns);
    const database = new SocketSqlDatabase(await dial(directory));
    const close = database.close.bind(database);
    return Object.assign(database, {
      close: async () => {
        await close();
        await server.close();
        await lent.close();
      },
    });
  });
});

describeColumnStore('the column store over the operator socket', async () => {
  const directory = newDirectory();
  const lent = await openChdb({ directory: newDirectory(), database: 'millrace_test' });
  const server = await listen(directory, { kind: 'pglite' } as SqlDatabase, lent);
  const connection = await dial(directory);
  return {
    store: new SocketColumnStore(connection),
    stop: async () => {
      await connection.close();
      await server.close();
      await lent.close();
    },
  };
});

describe('the operator socket', () => {
  const withHost = async (
    work: (host: { directory: string; lent: PgliteSqlDatabase; server: OperatorServer }) => Promise<void>,
    directory = newDirectory(),
  ): Promise<void> => {
    const lent = await PgliteSqlDatabase.open();
    const server = await listen(directory, lent, noColumns);
    try {
      await work({ directory, lent, server });
    } finally {
      await server.close();
      await lent.close();
    }
  };
  const one = { name: 'test.one', text: 'select 1 as one' };

  it('is for its user alone, and gone when the host is', async () => {
    const directory = newDirectory();
    await withHost(async ({ server }) => {
      expect(statSync(server.path).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(server.path)).mode & 0o777).toBe(0o700);
      await (await dial(directory)).close();
    }, directory);
    expect(existsSync(operatorSocketPath(directory))).toBe(false);
    await expect(OperatorConnection.open({ dataDirectory: directory, version })).resolves.toBeUndefined();
  });

  it('lies in the temporary directory where the data directory is too deep for a socket', async () => {
    const directory = newDirectory('d'.repeat(60), 'e'.repeat(60));
    let place = '';
    await withHost(async ({ server }) => {
      place = server.path;
      expect(place.startsWith(directory)).toBe(false);
      expect(statSync(dirname(place)).mode & 0o777).toBe(0o700);
      const connection = await dial(directory);
      await expect(new SocketSqlDatabase(connection).query(one)).resolves.toMatchObject({
        rows: [{ one: 1 }],
      });
      await connection.close();
    }, directory);
    expect(existsSync(dirname(place))).toBe(false);
  });

  it('replaces what a killed host left behind', async () => {
    const directory = newDirectory();
    mkdirSync(join(directory, 'operator'));
    writeFileSync(operatorSocketPath(directory), '');
    await expect(OperatorConnection.open({ dataDirectory: directory, version })).resolves.toBeUndefined();
    await withHost(async () => (await dial(directory)).close(), directory);
  });

  it('rolls a transaction back when its command dies, and when it is left lying', async () => {
    await withHost(async ({ directory, lent }) => {
      await lent.execute('create table item (id int)');
      const insert = { name: 'test.insert', text: 'insert into item values (1)' };
      const count = { name: 'test.count', text: 'select count(*)::int as count from item' };
      const dying = await dial(directory);
      const number = Number(await dying.request({ kind: 'sql.begin' }));
      await dying.request({ kind: 'sql.query', statement: insert, parameters: [], transaction: number });
      await dying.close();
      await expect(lent.query(count)).resolves.toMatchObject({ rows: [{ count: 0 }] });
      const idle = await dial(directory);
      const left = Number(await idle.request({ kind: 'sql.begin' }));
      await idle.request({ kind: 'sql.query', statement: insert, parameters: [], transaction: left });
      // The host's own statement waits for its turn: until the transaction has been rolled back.
      await expect(lent.query(count)).resolves.toMatchObject({ rows: [{ count: 0 }] });
      await expect(idle.request({ kind: 'sql.end', transaction: left, commits: true })).rejects.toMatchObject(
        { code: 'MILLRACE_DATABASE_CONFLICT' },
      );
      await idle.close();
    });
  });

  it('turns away another version, and whoever does not speak its protocol', async () => {
    await withHost(async ({ directory, server }) => {
      await expect(
        OperatorConnection.open({ dataDirectory: directory, version: '9.9.9' }),
      ).rejects.toMatchObject({ code: 'MILLRACE_DATA_IN_USE', message: /1\.2\.3.*9\.9\.9/ });
      for (const bytes of [
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.from([0, 0, 0, 2, 1, 2]),
        Buffer.alloc(64, 255),
      ]) {
        const socket = connect(server.path);
        socket.on('error', () => undefined);
        socket.write(bytes);
        await once(socket, 'close');
      }
      await (await dial(directory)).close();
    });
  });

  it('says that the host has gone when it closes in mid-request', async () => {
    const directory = newDirectory();
    mkdirSync(join(directory, 'operator'));
    const silent = createServer((socket) => socket.once('data', () => socket.destroy()));
    silent.listen(operatorSocketPath(directory));
    await once(silent, 'listening');
    await expect(OperatorConnection.open({ dataDirectory: directory, version })).rejects.toMatchObject({
      code: 'MILLRACE_DATABASE_UNAVAILABLE',
    });
    silent.close();
    await once(silent, 'close');
  });
});
