import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
import { directoryOf, postgresPrograms } from './required-programs.ts';
import { commandOf, freePort, ServerProcess, userIds } from './server-process.ts';

const startAttempts = 50;

export interface PostgresServerOptions {
  /** Settings over the defaults, such as { fsync: 'off', max_connections: '20' }. fsync is on. */
  readonly settings?: Readonly<Record<string, string>>;
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
    const home = makeDirectory('millrace-postgres-');
    runAsServer('cp', ['-a', '--reflink=auto', template(), join(home, 'data')]);
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
    const settings: Record<string, string> = {
      port: String(this.#port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      shared_buffers: '64MB',
      ...this.#settings,
    };
    return new ServerProcess({
      program: join(directoryOf(postgresPrograms()), 'postgres'),
      arguments: [
        '-D',
        join(this.#home, 'data'),
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      logFile: this.logFile,
      // Immediate shutdown: like a kill, but shared memory is given back.
      signalWithoutParent: 'QUIT',
      ...asServerUser(),
    });
  }

  async #untilReady(): Promise<void> {
    await this.#process.waitUntil(() => answers(this.connectionString));
  }

  async #administer(...statements: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: this.connectionString });
    // A connection that breaks fails the statement; its event must not end the tests.
    client.on('error', () => undefined);
    await client.connect();
    try {
      // One by one: ALTER SYSTEM is refused in the transaction that several in one text would be.
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }
}

function connectionStringOf(port: number, database: string): string {
  return `postgres://postgres@127.0.0.1:${port}/${encodeURIComponent(database)}`;
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

// The server refuses to run as root; Debian's package brings a user for it.
function asServerUser(): { readonly user?: string } {
  return process.getuid?.() === 0 ? { user: 'postgres' } : {};
}

function makeDirectory(prefix: string): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  const { user } = asServerUser();
  if (user !== undefined) {
    const { uid, gid } = userIds(user);
    chownSync(directory, uid, gid);
  }
  return directory;
}

function runAsServer(program: string, programArguments: readonly string[]): void {
  const [command, ...rest] = commandOf({
    program,
    arguments: programArguments,
    signalWithoutParent: 'KILL',
    ...asServerUser(),
  });
  const result = spawnSync(command, rest, { encoding: 'utf8', cwd: '/' });
  if (result.status !== 0) throw new Error(`${program} failed: ${result.error?.message ?? result.stderr}`);
}

/** An initialised data directory, made once a machine and copied for each server. */
function template(): string {
  const programs = directoryOf(postgresPrograms());
  const version = basename(dirname(programs));
  const path = join(tmpdir(), `millrace-postgres-template-${version}-${process.getuid?.() ?? 0}`);
  if (existsSync(path)) return path;
  const draft = makeDirectory('millrace-postgres-draft-');
  runAsServer(join(programs, 'initdb'), [
    '--pgdata',
    draft,
    '--username=postgres',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ]);
  try {
    renameSync(draft, path);
  } catch (error) {
    // Another test process was quicker; its template is as good.
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(path)) throw error;
  }
  return path;
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
