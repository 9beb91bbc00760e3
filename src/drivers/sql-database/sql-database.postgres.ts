import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import { invariant } from '../../kernel/invariant.ts';
import { columnParser } from './column-value.ts';
import { hearLosses } from './hear-losses.ts';
import { parameterText } from './parameter-text.ts';
import type { SqlConnections, SqlDatabase, SqlExecutor, SqlResult, SqlStatement } from './sql-database.ts';
import { refuseTransactionPooler } from './pooler.ts';
import { plannedOnceOptions, requireSessionSettings, sessionOptions } from './session-settings.ts';
import {
  closedBefore,
  isConnectionLoss,
  isReadOnlyServer,
  ledgerPoolerAdvice,
  rolledBackInstead,
  sqlError,
  withSqlErrors,
} from './sql-error.ts';

/*
 * PostgreSQL by two pools of connections: one for statements that are planned once (claims), one for all others. Statements are
 * prepared once a connection under their names. Behind a pooler there is one pool, and nothing is prepared. A connection that was lost, or whose statement got no answer in time, leaves the pool, and when one meets a server that takes no writes
 * all that are open do; the failed statement may or may not
 * have taken effect, as always when an answer is missing.
 */

export interface PostgresOptions {
  readonly connectionString: string;
  /** Connections at most, and two more for statements that are planned once. */
  readonly poolSize: number;
  /** How long the server lets one statement run. The client gives up a little later, if the server is silent. */
  readonly statementTimeoutMs: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** A pooler in transaction mode stands in between: nothing is prepared, and the role has the session's settings. */
  readonly isPooled?: boolean;
  /** How long to wait for a connection, a new one or a free one. Default: 10 s. */
  readonly connectTimeoutMs?: number;
}

const defaultConnectTimeoutMs = 10_000;
const silenceAfterTimeoutMs = 5_000;
const keepAliveAfterMs = 10_000;
/** A process claims for all its stages in one statement at a time. */
const plannedOnceConnections = 2;
const maxStatementNameLength = 63;

// `pg` asks by type id and format; everything here comes as text.
const columnTypes: pg.CustomTypesConfig = { getTypeParser: (typeId: number) => columnParser(typeId) };

/** A transaction that is running, to tell whether a call comes from inside it. */
interface RunningTransaction {
  isOpen: boolean;
}

/** The ledger's database on a PostgreSQL server. */
export class PostgresSqlDatabase implements SqlDatabase {
  readonly kind = 'postgres';
  readonly #pool: pg.Pool;
  /** The same pool behind a pooler. */
  readonly #plannedOnce: pg.Pool;
  readonly #prepares: boolean;
  readonly #inside = new AsyncLocalStorage<RunningTransaction>();
  readonly #running = new Set<Promise<unknown>>();
  /** Connections made before a server was found to take no writes are not trusted any more. */
  readonly #outdated = new WeakSet<pg.PoolClient>();
  readonly #open = new Set<pg.PoolClient>();
  #closing: Promise<void> | undefined;

  private constructor(pool: pg.Pool, plannedOnce: pg.Pool, prepares: boolean) {
    this.#pool = pool;
    this.#plannedOnce = plannedOnce;
    this.#prepares = prepares;
    for (const one of this.#pools()) {
      hearLosses(one);
      one.on('connect', (client) => void this.#open.add(client));
      one.on('remove', (client) => void this.#open.delete(client));
    }
  }

  /** Opens the pool and waits for the server's first answer. */
  static async open(options: PostgresOptions): Promise<PostgresSqlDatabase> {
    const { isPooled = false, statementTimeoutMs } = options;
    const connection: pg.ClientConfig = {
      connectionString: options.connectionString,
      application_name: options.applicationName,
      ...(isPooled ? {} : { statement_timeout: statementTimeoutMs, options: sessionOptions }),
      query_timeout: statementTimeoutMs + silenceAfterTimeoutMs,
      connectionTimeoutMillis: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveAfterMs,
    };
    const common = { ...connection, idleTimeoutMillis: 60_000, types: columnTypes };
    const pool = new pg.Pool({ ...common, max: options.poolSize });
    const plannedOnce = isPooled
      ? pool
      : new pg.Pool({ ...common, max: plannedOnceConnections, options: plannedOnceOptions });
    const database = new PostgresSqlDatabase(pool, plannedOnce, !isPooled);
    try {
      await requireSessionSettings(database, { isPooled, statementTimeoutMs });
      if (!isPooled) {
        await withSqlErrors('pooler.look', () => refuseTransactionPooler(connection, ledgerPoolerAdvice));
      }
    } catch (error) {
      await database.close();
      throw error;
    }
    return database;
  }

  query<Row = Record<string, unknown>>(
    statement: SqlStatement,
    parameters: readonly unknown[] = [],
  ): Promise<SqlResult<Row>> {
    return this.#withClient(
      statement.name,
      (client) => runStatement<Row>(client, statement, parameters),
      statement.plan === 'once' ? this.#plannedOnce : this.#pool,
    );
  }

  execute(script: string): Promise<void> {
    return this.#withClient('script', (client) => runScript(client, script));
  }

  transaction<T>(work: (transaction: SqlExecutor) => Promise<T>): Promise<T> {
    return this.#withClient('a transaction', (client) => this.#transact(client, work));
  }

  connections(): SqlConnections {
    const pools = this.#pools();
    return {
      inUse: pools.reduce((sum, { totalCount, idleCount }) => sum + totalCount - idleCount, 0),
      limit: pools.reduce((sum, { options }) => sum + options.max, 0),
    };
  }

  async ping(): Promise<void> {
    await this.query({ name: 'ping', text: 'select 1' });
  }

  close(): Promise<void> {
    // The pool's own end() would strand those that still wait for a connection.
    this.#closing ??= Promise.allSettled(this.#running).then(async () => {
      await Promise.all(this.#pools().map((pool) => pool.end()));
    });
    return this.#closing;
  }

  #pools(): readonly pg.Pool[] {
    return [...new Set([this.#pool, this.#plannedOnce])];
  }

  async #transact<T>(client: LentClient, work: (transaction: SqlExecutor) => Promise<T>): Promise<T> {
    const running: RunningTransaction = { isOpen: true };
    await runScript(client, 'BEGIN ISOLATION LEVEL READ COMMITTED');
    try {
      const result = await this.#inside.run(running, () => work(executorOf(client, running)));
      running.isOpen = false;
      await commit(client);
      return result;
    } catch (error) {
      running.isOpen = false;
      // A lost connection has rolled back by itself and is thrown away by #withClient.
      if (!client.isExpired()) await runScript(client, 'ROLLBACK');
      throw error;
    }
  }

  async #withClient<T>(
    name: string,
    work: (client: LentClient) => Promise<T>,
    pool = this.#pool,
  ): Promise<T> {
    if (this.#closing !== undefined) throw closedBefore(name);
    invariant(
      this.#inside.getStore()?.isOpen !== true,
      `${name} inside a transaction runs on the transaction, not on the database`,
    );
    const result = this.#lend(name, work, pool);
    this.#running.add(result);
    try {
      return await result;
    } finally {
      this.#running.delete(result);
    }
  }

  async #lend<T>(name: string, work: (client: LentClient) => Promise<T>, pool: pg.Pool): Promise<T> {
    const connection = await withSqlErrors(name, () => this.#connect(pool));
    const client = new LentClient(connection, this.#prepares);
    try {
      return await work(client);
    } finally {
      if (client.metReadOnlyServer()) for (const one of this.#open) this.#outdated.add(one);
      client.giveBack(this.#outdated.has(connection));
    }
  }

  /** A connection that may be trusted: at most as many are thrown away before as were open when one met a read-only server. */
  async #connect(pool: pg.Pool): Promise<pg.PoolClient> {
    for (;;) {
      const client = await pool.connect();
      if (!this.#outdated.has(client)) return client;
      client.release(true);
    }
  }
}

/** A connection out of the pool, which remembers whether it was lost meanwhile. */
class LentClient {
  readonly #client: pg.PoolClient;
  readonly prepares: boolean;
  #loss: unknown;
  #metReadOnly = false;
  readonly #onError = (error: unknown): void => {
    this.#loss = error;
  };

  constructor(client: pg.PoolClient, prepares: boolean) {
    this.#client = client;
    this.prepares = prepares;
    client.on('error', this.#onError);
  }

  isExpired(): boolean {
    return this.#loss !== undefined;
  }

  async run<Row extends pg.QueryResultRow>(
    name: string,
    query: pg.QueryConfig,
  ): Promise<pg.QueryResult<Row>> {
    if (this.#loss !== undefined) throw sqlError(this.#loss, name);
    try {
      return await this.#client.query<Row>(query);
    } catch (error) {
      if (isConnectionLoss(error)) this.#loss ??= error;
      if (isReadOnlyServer(error)) this.#metReadOnly = true;
      throw sqlError(error, name);
    }
  }

  metReadOnlyServer(): boolean {
    return this.#metReadOnly;
  }

  giveBack(isOutdated: boolean): void {
    this.#client.removeListener('error', this.#onError);
    this.#client.release(isOutdated || this.isExpired());
  }
}

async function runStatement<Row>(
  client: LentClient,
  statement: SqlStatement,
  parameters: readonly unknown[],
): Promise<SqlResult<Row>> {
  invariant(statement.name.length <= maxStatementNameLength, `${statement.name} fits PostgreSQL's names`);
  const result = await client.run(statement.name, {
    ...(client.prepares ? { name: statement.name } : {}),
    text: statement.text,
    values: parameters.map(parameterText),
  });
  return { rows: result.rows as Row[], affected: affectedBy(result) };
}

async function runScript(client: LentClient, script: string): Promise<void> {
  await client.run('script', { text: script });
}

async function commit(client: LentClient): Promise<void> {
  const result = await client.run('commit', { text: 'COMMIT' });
  if (result.command !== 'COMMIT') throw rolledBackInstead();
}

function executorOf(client: LentClient, running: RunningTransaction): SqlExecutor {
  const mustBeOpen = (name: string): void =>
    invariant(running.isOpen, `${name} runs before its transaction ends`);
  return {
    query: async <Row>(statement: SqlStatement, parameters: readonly unknown[] = []) => {
      mustBeOpen(statement.name);
      return await runStatement<Row>(client, statement, parameters);
    },
    execute: async (script) => {
      mustBeOpen('script');
      await runScript(client, script);
    },
  };
}

const changing = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

function affectedBy(result: pg.QueryResult): number {
  return changing.has(result.command) ? (result.rowCount ?? 0) : 0;
}
