import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { Queue, QueueDriver } from '../../src/drivers/queue/queue.ts';
import type { SqlDatabase, SqlExecutor } from '../../src/drivers/sql-database/sql-database.ts';
import { wrappedDatabase } from './wrapped-database.ts';

/*
 * The named points at which a process can be killed. They lie in wrappers around its drivers and its HTTP client, so
 * that the product knows nothing of them: a statement of the ledger goes by its own name ("ledger.settle_calls"), the
 * rest by "queue.add", "columns.insert" and "request". Before: nothing has left the process. During: it has been sent
 * and nobody has heard the answer. After: it has happened, and the process did not live to act on it.
 */

export interface FaultPoint {
  readonly name: string;
  readonly when: 'before' | 'during' | 'after';
  /** At the how manieth time from now, 1 for the next. */
  readonly nth: number;
  /** During: how long after it was sent. */
  readonly delayMs: number;
}

/** Kills the process, as by SIGKILL from outside, when it comes to the armed point. */
export class FaultPoints {
  readonly #die: () => void;
  #armed: FaultPoint | undefined;
  #seen = 0;

  constructor(die: () => void = () => void process.kill(process.pid, 'SIGKILL')) {
    this.#die = die;
  }

  arm(point: FaultPoint): void {
    this.#armed = point;
    this.#seen = 0;
  }

  async pass<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const point = this.#take(name);
    if (point?.when === 'before') this.#die();
    const working = work();
    if (point?.when === 'during') setTimeout(this.#die, point.delayMs);
    const result = await working;
    if (point?.when === 'after') this.#die();
    return result;
  }

  #take(name: string): FaultPoint | undefined {
    const armed = this.#armed;
    if (armed?.name !== name) return undefined;
    this.#seen += 1;
    if (this.#seen < armed.nth) return undefined;
    this.#armed = undefined;
    return armed;
  }
}

export function databaseWithPoints(database: SqlDatabase, points: FaultPoints): SqlDatabase {
  return wrappedDatabase(database, (executor) => executorWithPoints(executor, points));
}

function executorWithPoints(executor: SqlExecutor, points: FaultPoints): SqlExecutor {
  return {
    query: (statement, parameters) =>
      points.pass(statement.name, () => executor.query(statement, parameters)),
    execute: (script) => executor.execute(script),
  };
}

export function columnsWithPoints(columns: ColumnStore, points: FaultPoints): ColumnStore {
  return {
    kind: columns.kind,
    database: columns.database,
    query: (sql, parameters) => columns.query(sql, parameters),
    command: (sql) => columns.command(sql),
    insert: (insert) => points.pass('columns.insert', () => columns.insert(insert)),
    ping: () => columns.ping(),
    close: () => columns.close(),
  };
}

export function queuesWithPoints(queues: QueueDriver, points: FaultPoints): QueueDriver {
  const wrapped = new Map<string, Queue>();
  return {
    kind: queues.kind,
    queue(name) {
      const known = wrapped.get(name);
      if (known !== undefined) return known;
      const inner = queues.queue(name);
      const outer: Queue = {
        name: inner.name,
        add: (notifications) => points.pass('queue.add', () => inner.add(notifications)),
        counts: () => inner.counts(),
        consume: (handler) => inner.consume(handler),
        clear: () => inner.clear(),
      };
      wrapped.set(name, outer);
      return outer;
    },
    wasKept: () => queues.wasKept(),
    ping: () => queues.ping(),
    warnings: () => queues.warnings(),
    close: () => queues.close(),
  };
}

/** Requests to the provider; every SDK asks for the global one at the time of the request. */
export function fetchWithPoints(inner: typeof fetch, providerUrl: string, points: FaultPoints): typeof fetch {
  return (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    return url.startsWith(providerUrl)
      ? points.pass('request', () => inner(input, init))
      : inner(input, init);
  };
}
