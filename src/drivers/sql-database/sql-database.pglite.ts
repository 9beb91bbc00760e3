import { AsyncLocalStorage } from 'node:async_hooks';
import { join, resolve } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { invariant } from '../../kernel/invariant.ts';
import { makePrivateDirectory } from '../../kernel/private-directory.ts';
import { lockDirectory, type ReleaseDirectory } from './directory-lock.ts';
import { PgliteSession } from './pglite-session.ts';
import { newPglite, openPglite } from './pglite-template.ts';
import { PgliteUpkeep } from './pglite-upkeep.ts';
import type { SqlDatabase, SqlExecutor, SqlResult, SqlStatement } from './sql-database.ts';
import { closedBefore, rolledBackInstead, sqlError, withSqlErrors } from './sql-error.ts';
import { SerialQueue } from './serial-queue.ts';

/*
 * PostgreSQL in the process. There is one session, so work takes turns: a single statement is a turn, a whole
 * transaction is a turn. A statement on the database itself from inside a transaction would wait for its own
 * turn for ever, and fails an invariant instead.
 *
 * A commit is in the operating system's hands when it is acknowledged: it outlives the process (SIGKILL
 * included), but not a loss of power, because the engine has no fsync.
 */

export interface PgliteOptions {
  /** Where the database lies; made with its parents when missing. Absent: in memory. */
  readonly dataDirectory?: string;
  /** What a new one is a copy of, as `dump` answers it: asked when there is none yet. Absent: an empty one. */
  readonly archive?: () => Promise<Buffer<ArrayBuffer>>;
}

/** A transaction that is running, to tell whether a call comes from inside it. */
interface RunningTransaction {
  isOpen: boolean;
}

/** The ledger's database on PGlite. */
export class PgliteSqlDatabase implements SqlDatabase {
  readonly kind = 'pglite';
  readonly #pglite: PGlite;
  readonly #session: PgliteSession;
  readonly #release: ReleaseDirectory;
  readonly #inside = new AsyncLocalStorage<RunningTransaction>();
  readonly #upkeep: PgliteUpkeep;
  readonly #turns = new SerialQueue();
  #closing: Promise<void> | undefined;

  private constructor(pglite: PGlite, release: ReleaseDirectory) {
    this.#pglite = pglite;
    this.#session = new PgliteSession(pglite);
    this.#upkeep = new PgliteUpkeep(this.#session);
    this.#release = release;
  }

  /** Opens the database, and makes it when there is none. Throws MILLRACE_DATA_IN_USE when another process has it. */
  static async open(options: PgliteOptions = {}): Promise<PgliteSqlDatabase> {
    if (options.dataDirectory === undefined) {
      return new PgliteSqlDatabase(await openPglite(undefined, options.archive), () => undefined);
    }
    const directory = resolve(options.dataDirectory);
    makePrivateDirectory(directory);
    const release = lockDirectory(directory);
    try {
      return new PgliteSqlDatabase(await openPglite(join(directory, 'pgdata'), options.archive), release);
    } catch (error) {
      release();
      throw sqlError(error, 'open');
    }
  }

  /** A new database in memory, however long it takes to make one: for what templates are made of. */
  static async make(): Promise<PgliteSqlDatabase> {
    return new PgliteSqlDatabase(await newPglite(), () => undefined);
  }

  query<Row = Record<string, unknown>>(
    statement: SqlStatement,
    parameters: readonly unknown[] = [],
  ): Promise<SqlResult<Row>> {
    return this.#turn(statement.name, () => this.#run(statement, parameters));
  }

  execute(script: string): Promise<void> {
    return this.#turn('script', () => this.#runScript(script));
  }

  transaction<T>(work: (transaction: SqlExecutor) => Promise<T>): Promise<T> {
    return this.#turn('a transaction', () => this.#transact(work));
  }

  /** The whole database as an archive that others can be opened from. */
  dump(): Promise<Buffer<ArrayBuffer>> {
    return this.#turn('a dump', async () => {
      await this.#runScript('CHECKPOINT');
      return Buffer.from(await (await this.#pglite.dumpDataDir('none')).arrayBuffer());
    });
  }

  connections(): undefined {
    return undefined;
  }

  async ping(): Promise<void> {
    await this.query({ name: 'ping', text: 'select 1' });
  }

  close(): Promise<void> {
    this.#closing ??= this.#turns.ended().then(async () => {
      await this.#pglite.close();
      this.#release();
    });
    return this.#closing;
  }

  async #transact<T>(work: (transaction: SqlExecutor) => Promise<T>): Promise<T> {
    const running: RunningTransaction = { isOpen: true };
    await this.#runScript('BEGIN ISOLATION LEVEL READ COMMITTED');
    try {
      const result = await this.#inside.run(running, () => work(this.#executor(running)));
      running.isOpen = false;
      await this.#commit();
      return result;
    } catch (error) {
      running.isOpen = false;
      // When it was the commit that failed there is nothing to roll back, which PostgreSQL only notes.
      await this.#runScript('ROLLBACK');
      throw error;
    }
  }

  async #commit(): Promise<void> {
    const { tag } = await withSqlErrors('commit', () => this.#session.execute('COMMIT'));
    if (tag !== 'COMMIT') throw rolledBackInstead();
  }

  // Statements of one transaction that are started together still go one after the other.
  #executor(running: RunningTransaction): SqlExecutor {
    const turns = new SerialQueue();
    const next = <T>(name: string, run: () => Promise<T>): Promise<T> => {
      invariant(running.isOpen, `${name} runs before its transaction ends`);
      return turns.run(run);
    };
    return {
      query: <Row>(statement: SqlStatement, parameters: readonly unknown[] = []) =>
        next(statement.name, () => this.#run<Row>(statement, parameters)),
      execute: (script) => next('script', () => this.#runScript(script)),
    };
  }

  #run<Row>(statement: SqlStatement, parameters: readonly unknown[]): Promise<SqlResult<Row>> {
    return withSqlErrors(statement.name, () => this.#session.query<Row>(statement, parameters));
  }

  async #runScript(script: string): Promise<void> {
    await withSqlErrors('script', () => this.#session.execute(script));
  }

  async #turn<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedBefore(name);
    invariant(
      this.#inside.getStore()?.isOpen !== true,
      `${name} inside a transaction runs on the transaction, not on the database`,
    );
    try {
      return await this.#turns.run(work);
    } finally {
      this.#keepUp();
    }
  }

  #keepUp(): void {
    if (this.#closing !== undefined || !this.#upkeep.isDueAfterTurn()) return;
    // What makes it fail (a full disk) fails the statements that follow as well, and is reported by them.
    this.#turns.run(() => this.#upkeep.run()).catch(() => undefined);
  }
}
