import type { ColumnInsert, ColumnStore } from '../column-store/column-store.ts';
import type { OperatorConnection } from './operator-connection.ts';

/** The column store of a running host, over its operator socket. */
export class SocketColumnStore implements ColumnStore {
  readonly kind: ColumnStore['kind'];
  readonly database: string;
  readonly #connection: OperatorConnection;

  constructor(connection: OperatorConnection) {
    this.#connection = connection;
    this.kind = connection.greeting.columnsKind;
    this.database = connection.greeting.columnsDatabase;
  }

  async query<Row>(sql: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<Row[]> {
    // The host answers what its own driver answered, by a copy that keeps the types.
    return (await this.#connection.request({ kind: 'columns.query', sql, parameters })) as Row[];
  }

  async command(sql: string): Promise<void> {
    await this.#connection.request({ kind: 'columns.command', sql });
  }

  async insert(insert: ColumnInsert): Promise<void> {
    await this.#connection.request({ kind: 'columns.insert', insert });
  }

  async ping(): Promise<void> {
    await this.#connection.request({ kind: 'columns.ping' });
  }

  /** The connection is not its own; whoever opened that closes it. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
