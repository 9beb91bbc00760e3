import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { directoryOf, postgresPrograms } from './required-programs.ts';
import { commandOf, ServerProcess, userIds } from './server-process.ts';

/* A process of PostgreSQL over a directory `<home>/data`; its log is `<home>/log`. */

export interface PostgresProcessOptions {
  readonly home: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** Starts the server; `untilPostgresAnswers` waits for it. */
export function launchPostgres({ home, port, settings: more }: PostgresProcessOptions): ServerProcess {
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_buffers: '64MB',
    ...more,
  };
  return new ServerProcess({
    program: join(directoryOf(postgresPrograms()), 'postgres'),
    arguments: [
      '-D',
      join(home, 'data'),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    logFile: join(home, 'log'),
    // Immediate shutdown: like a kill, but shared memory is given back.
    signalWithoutParent: 'QUIT',
    ...asServerUser(),
  });
}

/** Waits until the server takes connections. */
export async function untilPostgresAnswers(server: ServerProcess, port: number): Promise<void> {
  await server.waitUntil(() => answers(connectionStringOf(port, 'postgres')));
}

/** How a client reaches a database of the server. */
export function connectionStringOf(port: number, database: string): string {
  return `postgres://postgres@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

/** Runs statements one by one: ALTER SYSTEM and CREATE DATABASE are refused in the transaction that several in one text would be. */
export async function administer(connectionString: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString });
  // A connection that breaks fails the statement; its event must not end the tests.
  client.on('error', () => undefined);
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A new temporary directory that belongs to the server's user. */
export function makeServerDirectory(prefix: string, parent: string = tmpdir()): string {
  const directory = mkdtempSync(join(parent, prefix));
  const { user } = asServerUser();
  if (user !== undefined) {
    const { uid, gid } = userIds(user);
    chownSync(directory, uid, gid);
  }
  return directory;
}

/** Runs a program as the server's user. */
export function runAsServer(program: string, programArguments: readonly string[]): void {
  const [command, ...rest] = commandOf({
    program,
    arguments: programArguments,
    signalWithoutParent: 'KILL',
    ...asServerUser(),
  });
  const result = spawnSync(command, rest, { encoding: 'utf8', cwd: '/' });
  if (result.status !== 0) throw new Error(`${program} failed: ${result.error?.message ?? result.stderr}`);
}

// The server refuses to run as root; Debian's package brings a user for it.
function asServerUser(): { readonly user?: string } {
  return process.getuid?.() === 0 ? { user: 'postgres' } : {};
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 1000 });
  // A server that is starting up may drop the connection; the answer is then no.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}
