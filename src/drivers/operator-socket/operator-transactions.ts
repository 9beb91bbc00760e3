import { AppError } from '../../kernel/app-error.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { SqlDatabase, SqlExecutor } from '../sql-database/sql-database.ts';

/** How long a command may leave the host's ledger waiting between two statements of a transaction, and in all. */
export interface TransactionBounds {
  readonly idleMs: number;
  readonly totalMs: number;
}

interface OpenTransaction {
  readonly executor: SqlExecutor;
  readonly end: (commits: boolean) => Promise<void>;
  idle: Timer;
  readonly total: Timer;
}

class RolledBack extends Error {}

/**
 * The transactions that one connection has open. An embedded ledger has one session, so while one is open the host
 * waits: one that is left lying, or whose command has died, is rolled back.
 */
export class OperatorTransactions {
  readonly #database: SqlDatabase;
  readonly #bounds: TransactionBounds;
  readonly #clock: Clock;
  readonly #open = new Map<number, OpenTransaction>();
  #next = 1;
  #isClosed = false;

  constructor(database: SqlDatabase, bounds: TransactionBounds, clock: Clock) {
    this.#clock = clock;
    this.#database = database;
    this.#bounds = bounds;
  }

  /** Opens one; resolves with its number when it has begun. */
  begin(): Promise<number> {
    const number = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      const done = this.#database.transaction(
        (executor) =>
          new Promise<void>((commit, rollBack) => {
            const end = (commits: boolean): Promise<void> => {
              if (commits) commit();
              else rollBack(new RolledBack('rolled back'));
              return done.catch((error: unknown) => {
                if (!(error instanceof RolledBack)) throw error;
              });
            };
            if (this.#isClosed) {
              rollBack(new RolledBack('the command is gone'));
              return;
            }
            this.#open.set(number, {
              executor,
              end,
              idle: this.#limit(number, this.#bounds.idleMs),
              total: this.#limit(number, this.#bounds.totalMs),
            });
            resolve(number);
          }),
      );
      done.catch(reject);
    });
  }

  /** The transaction of this number. Throws MILLRACE_DATABASE_CONFLICT when it is over. */
  executor(number: number): SqlExecutor {
    const open = this.#get(number);
    open.idle.close();
    open.idle = this.#limit(number, this.#bounds.idleMs);
    return open.executor;
  }

  /** Ends it. Throws MILLRACE_DATABASE_CONFLICT when it is over already, and what a commit throws. */
  async end(number: number, commits: boolean): Promise<void> {
    await this.#take(number).end(commits);
  }

  /** Rolls back whatever is open: the command is gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#open.keys()].map((number) => this.end(number, false)));
  }

  #limit(number: number, delayMs: number): Timer {
    return this.#clock.startTimer(delayMs, () => {
      if (this.#open.has(number)) this.end(number, false).catch(() => undefined);
    });
  }

  #take(number: number): OpenTransaction {
    const open = this.#get(number);
    this.#open.delete(number);
    open.idle.close();
    open.total.close();
    return open;
  }

  #get(number: number): OpenTransaction {
    const open = this.#open.get(number);
    if (open === undefined) {
      throw new AppError(
        'MILLRACE_DATABASE_CONFLICT',
        'The transaction is over: the command left it waiting for too long, and it was rolled back.',
      );
    }
    return open;
  }
}
