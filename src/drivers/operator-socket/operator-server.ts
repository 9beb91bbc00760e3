import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import type { ColumnStore } from '../column-store/column-store.ts';
import type { JobNotification } from '../queue/job-notification.ts';
import type { QueueDriver } from '../queue/queue.ts';
import type { SqlDatabase } from '../sql-database/sql-database.ts';
import { FramedConnection } from './framed-connection.ts';
import {
  failureOf,
  type OperatorAnswer,
  type OperatorGreeting,
  type OperatorRequest,
  operatorRequestSchema,
} from './operator-protocol.ts';
import { type OperatorSocketPlace, prepareOperatorSocket } from './operator-socket-place.ts';
import { OperatorTransactions, type TransactionBounds } from './operator-transactions.ts';

/** What a running host lends to commands. */
export interface LentStores {
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
  readonly queues: QueueDriver;
}

export interface OperatorServerOptions {
  readonly dataDirectory: string;
  readonly version: string;
  readonly stores: LentStores;
  readonly bounds?: Partial<TransactionBounds>;
  /** Default the machine's. */
  readonly clock?: Clock;
  /** Takes out of the texts of failures what their reader may not see. */
  readonly clean?: (text: string) => string;
}

/** Commands that are served at once; more are turned away. */
const maxConnections = 16;
const defaultBounds: TransactionBounds = { idleMs: 5_000, totalMs: 60_000 };

/**
 * Lends the stores of a running embedded host to commands beside it, over a Unix socket that only this user can open.
 * Whoever opens it could as well open the data directory: the file's permission is the authority.
 */
export class OperatorServer {
  readonly #server: Server;
  readonly #place: OperatorSocketPlace;
  readonly #options: OperatorServerOptions;
  readonly #connections = new Map<Socket, OperatorTransactions>();
  readonly #underWay = new Set<Promise<void>>();

  private constructor(place: OperatorSocketPlace, options: OperatorServerOptions) {
    this.#place = place;
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = maxConnections;
  }

  /** Listens. The caller holds the lock of the data directory. Throws what the system refuses. */
  static async listen(options: OperatorServerOptions): Promise<OperatorServer> {
    const place = prepareOperatorSocket(options.dataDirectory);
    const served = new OperatorServer(place, options);
    const server = served.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(place.path, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // Its directory is closed to others already; this is for whoever opens that up.
    chmodSync(place.path, 0o600);
    return served;
  }

  /** Where it listens. */
  get path(): string {
    return this.#place.path;
  }

  /** Ends every connection; resolves after the last effect of each. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#connections.keys()) socket.destroy();
    await closed;
    await Promise.all([...this.#connections.values()].map((transactions) => transactions.close()));
    await Promise.all(this.#underWay);
    this.#place.remove();
  }

  #serve(socket: Socket): void {
    const { stores, bounds, clock = systemClock } = this.#options;
    const transactions = new OperatorTransactions(stores.database, { ...defaultBounds, ...bounds }, clock);
    this.#connections.set(socket, transactions);
    const connection = new FramedConnection(socket, {
      onValue: (value) => this.#track(this.#handle(value, connection, transactions)),
      onClose: () => this.#track(this.#forget(socket, transactions)),
    });
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #forget(socket: Socket, transactions: OperatorTransactions): Promise<void> {
    // A transaction that cannot even be rolled back fails whatever comes next on the same session, and is reported there.
    await transactions.close().catch(() => undefined);
    this.#connections.delete(socket);
  }

  async #handle(
    value: unknown,
    connection: FramedConnection,
    transactions: OperatorTransactions,
  ): Promise<void> {
    const parsed = operatorRequestSchema.safeParse(value);
    if (!parsed.success) {
      connection.close();
      return;
    }
    const { id } = parsed.data;
    const answer: OperatorAnswer = await this.#answer(parsed.data, transactions).then(
      (result) => ({ id, value: result }),
      (error: unknown) => ({ id, failure: failureOf(error, this.#options.clean) }),
    );
    try {
      connection.send(answer);
    } catch (error) {
      connection.send({ id, failure: failureOf(error, this.#options.clean) } satisfies OperatorAnswer);
    }
  }

  async #answer(request: OperatorRequest, transactions: OperatorTransactions): Promise<unknown> {
    const { database, columns, queues } = this.#options.stores;
    const executorOf = (transaction: number | undefined) =>
      transaction === undefined ? database : transactions.executor(transaction);
    switch (request.kind) {
      case 'hello':
        return this.#greeting();
      case 'sql.query':
        return await executorOf(request.transaction).query(request.statement, request.parameters);
      case 'sql.execute':
        await executorOf(request.transaction).execute(request.script);
        return undefined;
      case 'sql.begin':
        return await transactions.begin();
      case 'sql.end':
        await transactions.end(request.transaction, request.commits);
        return undefined;
      case 'sql.ping':
        await database.ping();
        return undefined;
      case 'columns.query':
        return await columns.query(request.sql, request.parameters);
      case 'columns.command':
        await columns.command(request.sql);
        return undefined;
      case 'columns.insert':
        await columns.insert(request.insert);
        return undefined;
      case 'columns.ping':
        await columns.ping();
        return undefined;
      case 'queue.add':
        // Both ends are the same version: what is sent is what the port takes.
        await queues.queue(request.queue).add(request.notifications as readonly JobNotification[]);
        return undefined;
    }
  }

  #greeting(): OperatorGreeting {
    const { version, stores } = this.#options;
    return {
      version,
      processId: process.pid,
      databaseKind: stores.database.kind,
      columnsKind: stores.columns.kind,
      columnsDatabase: stores.columns.database,
    };
  }
}
