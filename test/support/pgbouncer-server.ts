import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { directoryOf, pgbouncerPrograms } from './required-programs.ts';
import { freePort, ServerProcess, userIds } from './server-process.ts';

export interface PgbouncerServerOptions {
  /** A URL of the server behind it. */
  readonly serverUrl: string;
  readonly poolMode: 'session' | 'transaction';
  /** Settings over the defaults of pgbouncer, such as { ignore_startup_parameters: 'options' }. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A pgbouncer of its own before a PostgreSQL server, on a free port of 127.0.0.1. It asks nobody for a password. */
export class PgbouncerServer {
  readonly #home: string;
  readonly #port: number;
  readonly #process: ServerProcess;

  private constructor(home: string, port: number, process: ServerProcess) {
    this.#home = home;
    this.#port = port;
    this.#process = process;
  }

  static async start({
    serverUrl,
    poolMode,
    settings = {},
  }: PgbouncerServerOptions): Promise<PgbouncerServer> {
    const home = mkdtempSync(join(tmpdir(), 'millrace-pgbouncer-'));
    const port = await freePort();
    const { hostname, port: serverPort } = new URL(serverUrl);
    const all: Readonly<Record<string, string>> = {
      listen_addr: '127.0.0.1',
      listen_port: String(port),
      unix_socket_dir: '',
      auth_type: 'any',
      pool_mode: poolMode,
      default_pool_size: '3',
      admin_users: 'nobody',
      ...settings,
    };
    const file = join(home, 'pgbouncer.ini');
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
    writeFileSync(
      file,
      `[databases]\n* = host=${hostname} port=${serverPort} user=postgres\n[pgbouncer]\n${lines.join('\n')}\n`,
    );
    // It refuses to run as root.
    const user = process.getuid?.() === 0 ? { user: 'postgres' } : {};
    if (user.user !== undefined) {
      const { uid, gid } = userIds(user.user);
      for (const path of [home, file]) chownSync(path, uid, gid);
    }
    const server = new ServerProcess({
      program: join(directoryOf(pgbouncerPrograms()), 'pgbouncer'),
      arguments: [file],
      logFile: join(home, 'log'),
      signalWithoutParent: 'KILL',
      ...user,
    });
    const pgbouncer = new PgbouncerServer(home, port, server);
    try {
      await server.waitUntil(() => answers(pgbouncer.urlOf('postgres')));
    } catch (error) {
      await pgbouncer.stop();
      throw error;
    }
    return pgbouncer;
  }

  /** How to reach a database of the server through it. */
  urlOf(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/${encodeURIComponent(database)}`;
  }

  async stop(): Promise<void> {
    if (!this.#process.hasEnded) await this.#process.end('SIGKILL');
    rmSync(this.#home, { recursive: true, force: true });
  }
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 1000 });
  // One that is starting up may drop the connection; the answer is then no.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}
