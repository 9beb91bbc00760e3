import { AsyncLocalStorage } from 'node:async_hooks';
import { invariant } from '../../kernel/invariant.ts';
import type { SqlDatabase, SqlExecutor, SqlResult, SqlStatement } from '../sql-database/sql-database.ts';
import type { OperatorConnection } from './operator-connection.ts';

/** A transaction that is running, to tell whether a call comes from inside it. */
interface RunningTransaction {
  readonly number: number;
  isOpen: boolean;
}

/** The ledger's database of a running host, statement by statement over its operator socket. */
export class SocketSqlDatabase implements SqlDatabase {
  readonly kind: SqlDatabase['kind'];
  readonly #connection: OperatorConnection;
  readonly #inside = new AsyncLocalStorage<RunningTransaction>();

  constructor(connection: OperatorConnection) {
    this.#connection = connection;
    this.kind = connection.greeting.databaseKind;
  }

  query<Row = Record<string, unknown>>(
    statement: SqlStatement,
    parameters: readonly unknown[] = [],
  ): Promise<SqlResult<Row>> {
    return this.#executor().query<Row>(statement, parameters);
  }

  execute(script: string): Promise<void> {
    return this.#executor().execute(script);
  }

  async transaction<T>(work: (transaction: SqlExecutor) => Promise<T>): Promise<T> {
    this.#requireOutside('a transaction');
    const number = Number(await this.#connection.request({ kind: 'sql.begin' }));
    const running: RunningTransaction = { number, isOpen: true };
    const end = (commits: boolean) => {
      running.isOpen = false;
      return this.#connection.request({ kind: 'sql.end', transaction: number, commits });
    };
    let result: T;
    try {
      result = await this.#inside.run(running, () => work(this.#executor(running)));
    } catch (error) {
      // The host rolls back what is left behind; the first error says more than a failed rollback.
      await end(false).catch(() => undefined);
      throw error;
    }
    await end(true);
    return result;
  }

  connections(): undefined {
    return undefined;
  }

  async ping(): Promise<void> {
    await this.#connection.request({ kind: 'sql.ping' });
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #executor(running?: RunningTransaction): SqlExecutor {
    const within = running === undefined ? {} : { transaction: running.number };
    const check = (name: string): void => {
      if (running === undefined) this.#requireOutside(name);
      else invariant(running.isOpen, `${name} runs before its transaction ends`);
    };
    return {
      query: async <Row>({ name, text }: SqlStatement, parameters: readonly unknown[] = []) => {
        check(name);
        const statement = { name, text };
        // The host answers what its own driver answered, by a copy that keeps the types.
        return (await this.#connection.request({
          kind: 'sql.query',
          statement,
          parameters,
          ...within,
        })) as SqlResult<Row>;
      },
      execute: async (script) => {
        check('script');
        await this.#connection.request({ kind: 'sql.execute', script, ...within });
      },
    };
  }

  /** An embedded ledger has one session: a statement on it from inside a transaction would wait for that one's end. */
  #requireOutside(name: string): void {
    invariant(
      this.#inside.getStore()?.isOpen !== true,
      `${name} inside a transaction runs on the transaction, not on the database`,
    );
  }
}
