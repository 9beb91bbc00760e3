import type {
  SqlDatabase,
  SqlExecutor,
  SqlResult,
  SqlStatement,
} from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import type { Clock } from '../kernel/clock.ts';

/*
 * Whether the ledger takes writes. A database whose disk is full, or that is read only, answers a ping and refuses the
 * work; so what happened to the statements themselves is counted. Reads succeed on a full disk, and many of them; so the
 * share is one of statements that write.
 */

const windowMs = 30_000;
/** Fewer failures than this are a deadlock's or a time-out's, not a store's. */
const leastFailures = 3;
/** Above this share the process does its callers no good. */
const mostFailing = 0.2;
const writing = /^\s*(?:insert|update|delete|merge)\b/i;
/** A statement that begins with "with" writes if any of its parts does; "for update" alone only locks. */
const writingPart =
  /\(\s*(?:insert\s+into|delete\s+from|update\s+[\w."]+\s)|\)\s*(?:insert\s+into|delete\s+from|update\s+[\w."]+\s)/i;

interface Slot {
  readonly second: number;
  written: number;
  failed: number;
}

export class LedgerWrites {
  readonly #clock: Clock;
  #slots: Slot[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The database, watched. */
  watch(database: SqlDatabase): SqlDatabase {
    const watched = (executor: SqlExecutor): SqlExecutor => ({
      query: <Row>(statement: SqlStatement, parameters?: readonly unknown[]): Promise<SqlResult<Row>> =>
        this.#note(statement, executor.query<Row>(statement, parameters)),
      execute: (script) => executor.execute(script),
    });
    return {
      ...watched(database),
      kind: database.kind,
      transaction: (work) => database.transaction((transaction) => work(watched(transaction))),
      connections: () => database.connections(),
      ping: () => database.ping(),
      close: () => database.close(),
    };
  }

  /** Throws MILLRACE_DATABASE_UNAVAILABLE while too many of the latest writes failed. */
  check(): Promise<void> {
    const slots = this.#recent();
    const failed = slots.reduce((sum, slot) => sum + slot.failed, 0);
    const all = slots.reduce((sum, slot) => sum + slot.failed + slot.written, 0);
    if (failed < leastFailures || failed / all <= mostFailing) return Promise.resolve();
    return Promise.reject(
      new AppError(
        'MILLRACE_DATABASE_UNAVAILABLE',
        `${failed} of the latest ${all} writes to the ledger failed.`,
      ),
    );
  }

  async #note<Result>({ text }: SqlStatement, running: Promise<Result>): Promise<Result> {
    if (!isWriting(text)) return running;
    try {
      const result = await running;
      this.#slot().written += 1;
      return result;
    } catch (error) {
      // What the data is to blame for says nothing of the store.
      if (error instanceof AppError && error.code === 'MILLRACE_DATABASE_UNAVAILABLE')
        this.#slot().failed += 1;
      throw error;
    }
  }

  #slot(): Slot {
    const second = Math.floor(this.#clock.monotonicMs() / 1000);
    const last = this.#slots.at(-1);
    if (last?.second === second) return last;
    const slot: Slot = { second, written: 0, failed: 0 };
    this.#slots = [...this.#recent(), slot];
    return slot;
  }

  #recent(): Slot[] {
    const oldest = Math.floor((this.#clock.monotonicMs() - windowMs) / 1000);
    return this.#slots.filter(({ second }) => second > oldest);
  }
}

/** Whether a statement changes rows. */
function isWriting(text: string): boolean {
  return writing.test(text) || (/^\s*with\b/i.test(text) && writingPart.test(text));
}
