import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import {
  administer,
  connectionStringOf,
  launchPostgres,
  makeServerDirectory,
  runAsServer,
  untilPostgresAnswers,
} from './postgres-process.ts';
import { migratedDatabase, postgresTemplate } from './postgres-template.ts';
import { freePort, type ServerProcess } from './server-process.ts';

const startAttempts = 50;

export interface PostgresServerOptions {
  /** Settings over the defaults, such as { fsync: 'off', max_connections: '20' }. fsync is on. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where its directory is made. Absent: among the machine's temporary files. */
  readonly parent?: string;
}

/** A PostgreSQL server of its own, in a temporary directory, on a free port of 127.0.0.1. */
export class PostgresServer {
  readonly connectionString: string;
  readonly #port: number;
  readonly #home: string;
  readonly #settings: Readonly<Record<string, string>>;
  #process: ServerProcess;

  private constructor(home: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#home = home;
    this.#port = port;
    this.#settings = settings;
    this.connectionString = connectionStringOf(port, 'postgres');
    this.#process = this.#launch();
  }

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const template = await postgresTemplate();
    const home = makeServerDirectory('millrace-postgres-', options.parent);
    runAsServer('cp', ['-a', '--reflink=auto', template, join(home, 'data')]);
    const server = new PostgresServer(home, await freePort(), options.settings ?? {});
    try {
      await server.#untilReady();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Makes an empty database and answers how to reach it. */
  async createDatabase(name: string): Promise<string> {
    await this.#administer(`create database ${pg.escapeIdentifier(name)}`);
    return connectionStringOf(this.#port, name);
  }

  /** Makes a database with the migrations of the ledger and answers how to reach it. */
  async createLedger(name: string): Promise<string> {
    await this.#administer(`create database ${pg.escapeIdentifier(name)} template ${migratedDatabase}`);
    return connectionStringOf(this.#port, name);
  }

  /** Empties all tables of a schema but these, as an operator's mistake would. */
  async emptySchema(schema: string, kept: readonly string[]): Promise<void> {
    await this.#administer(
      `do $$ declare names text; begin
         select string_agg(format('%I.%I', schemaname, tablename), ', ') into names from pg_tables
         where schemaname = ${pg.escapeLiteral(schema)} and tablename <> all(array[${kept.map((name) => pg.escapeLiteral(name)).join(', ')}]::text[]);
         execute 'truncate ' || names;
       end $$`,
    );
  }

  /** Refuses writes in every transaction that begins from now on, as a server does that was demoted. */
  async setReadOnly(isReadOnly: boolean): Promise<void> {
    await this.#administer(
      `set default_transaction_read_only = off`,
      `alter system set default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`,
      `select pg_reload_conf()`,
    );
  }

  /** Breaks every client's connection. */
  async terminateConnections(): Promise<void> {
    await this.#administer(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
  }

  /** Stands still, with all its backends: it takes what is asked and does not answer, until it is killed. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
    for (const backend of childrenOf(this.pid)) signalIfAlive(backend, 'SIGSTOP');
  }

  /** Stops the server at once, without its own clean-up. */
  async kill(): Promise<void> {
    // Its backends are processes of their own, and would answer for a moment yet.
    const backends = childrenOf(this.pid);
    await this.#process.end('SIGKILL');
    for (const backend of backends) signalIfAlive(backend, 'SIGKILL');
  }

  /** Stops it if it runs, and starts it again on the same port and data. */
  async restart(): Promise<void> {
    if (!this.#process.hasEnded) await this.#process.end('SIGINT');
    // After a kill its backends live on for a moment, and a new server refuses to start beside them.
    for (let attempt = 1; ; attempt += 1) {
      this.#process = this.#launch();
      try {
        await this.#untilReady();
        return;
      } catch (error) {
        if (attempt === startAttempts) throw error;
      }
    }
  }

  /** Lets this process end while the server runs, which then dies too. */
  unref(): void {
    this.#process.unref();
  }

  get pid(): number {
    return this.#process.pid;
  }

  get logFile(): string {
    return join(this.#home, 'log');
  }

  /** Stops it without giving up its data; restart() brings it back. */
  async pause(): Promise<void> {
    await this.#process.end('SIGINT');
  }

  /** Stops it for good and removes its data, which it therefore does not write to disk before. */
  async stop(): Promise<void> {
    if (!this.#process.hasEnded) await this.#process.end('SIGQUIT');
    rmSync(this.#home, { recursive: true, force: true });
  }

  #launch(): ServerProcess {
    return launchPostgres({ home: this.#home, port: this.#port, settings: this.#settings });
  }

  async #untilReady(): Promise<void> {
    await untilPostgresAnswers(this.#process, this.#port);
  }

  async #administer(...statements: readonly string[]): Promise<void> {
    await administer(this.connectionString, ...statements);
  }
}

/** From /proc: the fourth field of a process's status line, behind its name in brackets, is its parent. */
function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
  } catch (error) {
    // It ended while the list was read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended by itself meanwhile.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
