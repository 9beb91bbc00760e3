import type { SqlDatabase, SqlExecutor } from '../../src/drivers/sql-database/sql-database.ts';

/*
 * A process that dies after a chosen operation, on a database or at a provider. From then on nothing that it does
 * has any effect, as after a kill.
 */

/** What a dead process would have seen. */
export class Died extends Error {
  override readonly name = 'Died';
}

/** Counts the operations of one process, and ends it at one of them. */
export class Mortality {
  #moments = 0;
  readonly #dieAt: number;

  /** `dieAt`: after which operation, counted from 0. */
  constructor(dieAt = Infinity) {
    this.#dieAt = dieAt;
  }

  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#moments > this.#dieAt) throw new Died('The process is dead.');
    const result = await operation();
    // After one operation is before the next: nothing happens in between.
    this.pass();
    return result;
  }

  /** One more moment, which may be the last. */
  pass(): void {
    this.#moments += 1;
    if (this.#moments > this.#dieAt) throw new Died('The process is dead.');
  }
}

/** The database as a process sees it that dies. A transaction that it dies in is rolled back. */
export function mortalDatabase(database: SqlDatabase, mortality: Mortality): SqlDatabase {
  const mortal = (executor: SqlExecutor): SqlExecutor => ({
    query: (statement, parameters) => mortality.run(() => executor.query(statement, parameters)),
    execute: (script) => mortality.run(() => executor.execute(script)),
  });
  return {
    ...mortal(database),
    kind: database.kind,
    transaction: (work) =>
      mortality.run(() => database.transaction((transaction) => work(mortal(transaction)))),
    connections: () => database.connections(),
    ping: () => database.ping(),
    close: () => Promise.resolve(),
  };
}

/** An object whose methods, and steps of what they iterate over, are operations of a process that dies. */
export function mortalMethods<T extends object>(target: T, mortality: Mortality): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        const call = (): unknown => Reflect.apply(value, object, given);
        if (name !== 'results') return mortality.run(() => call() as Promise<unknown>);
        return dyingSteps(call() as AsyncIterable<unknown>, mortality);
      };
    },
  });
}

async function* dyingSteps(steps: AsyncIterable<unknown>, mortality: Mortality): AsyncGenerator {
  mortality.pass();
  for await (const step of steps) {
    yield step;
    mortality.pass();
  }
}
