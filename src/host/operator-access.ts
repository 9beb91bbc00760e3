import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import { SocketColumnStore } from '../drivers/operator-socket/column-store.socket.ts';
import { OperatorConnection } from '../drivers/operator-socket/operator-connection.ts';
import { SocketSqlDatabase } from '../drivers/operator-socket/sql-database.socket.ts';
import { SocketNotifications } from '../drivers/operator-socket/notifications.socket.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { StageNotifications } from '../terminal/installation.ts';
import type { Configuration } from './configuration.ts';
import { ledgerClock } from './host-clock.ts';
import { openColumns, openDatabase, openQueues } from './stores.ts';
import { version } from './version.ts';

/*
 * The one place where a command gets its stores. Servers are connected to. An embedded installation belongs to one
 * process: when a host runs on it, the host lends its stores over the operator socket; otherwise the command opens them.
 * A command asks for what it needs and no more, so that it works while the other stores are away.
 */

export class OperatorAccess {
  readonly database: SqlDatabase;
  /** True when a running host lends the stores. */
  readonly isBesideHost: boolean;
  readonly #configuration: Configuration;
  readonly #connection: OperatorConnection | undefined;
  readonly #opened: { close(): Promise<void> }[] = [];
  #clock: Clock = systemClock;

  private constructor(
    configuration: Configuration,
    database: SqlDatabase,
    connection: OperatorConnection | undefined,
  ) {
    this.#configuration = configuration;
    this.database = database;
    this.#connection = connection;
    this.isBesideHost = connection !== undefined;
  }

  /**
   * Access for one piece of work; everything is closed after it. Throws what opening the ledger throws, and
   * MILLRACE_DATA_IN_USE when another process keeps an embedded one and does not answer.
   */
  static async during<Result>(
    configuration: Configuration,
    work: (access: OperatorAccess) => Promise<Result>,
  ): Promise<Result> {
    const access = await OperatorAccess.#open(configuration, systemClock);
    try {
      access.#clock = await ledgerClock(access.database, systemClock);
      return await work(access);
    } finally {
      await access.#close();
    }
  }

  /** Whether this process keeps an embedded ledger for itself: no host runs on it, and none can until this access is closed. */
  get isAlone(): boolean {
    return this.#configuration.ledger.url === undefined && !this.isBesideHost;
  }

  /** The ledger's time: what a command writes or asks for goes by it, whatever this machine's clock shows. */
  get clock(): Clock {
    return this.#clock;
  }

  /** The column store. */
  async columns(): Promise<ColumnStore> {
    if (this.#configuration.columnStore.url === undefined && this.#connection !== undefined) {
      return new SocketColumnStore(this.#connection);
    }
    return this.#keep(await openColumns(this.#configuration));
  }

  /** The queues; undefined where none runs: embedded ones are filled from the ledger when their host starts. */
  async notifications(): Promise<StageNotifications | undefined> {
    if (this.#configuration.queue.url !== undefined) return this.#keep(await openQueues(this.#configuration));
    return this.#connection === undefined ? undefined : new SocketNotifications(this.#connection);
  }

  static async #open(configuration: Configuration, clock: Clock): Promise<OperatorAccess> {
    const { ledger, columnStore } = configuration;
    if (ledger.url !== undefined) {
      // A host with a ledger server may still have the column store in its process.
      const connection = columnStore.url === undefined ? await connect(configuration) : undefined;
      try {
        return new OperatorAccess(configuration, await openDatabase(configuration, 'command'), connection);
      } catch (error) {
        // An open socket would keep the command's process from ending.
        await connection?.close();
        throw error;
      }
    }
    const untilMs = clock.monotonicMs() + patienceMs;
    for (;;) {
      const connection = await connect(configuration);
      if (connection !== undefined) {
        return new OperatorAccess(configuration, new SocketSqlDatabase(connection), connection);
      }
      try {
        return new OperatorAccess(configuration, await openDatabase(configuration, 'command'), undefined);
      } catch (error) {
        // A host that is about to listen, or another command that is about to end.
        const isInUse = error instanceof AppError && error.code === 'MILLRACE_DATA_IN_USE';
        if (!isInUse || clock.monotonicMs() >= untilMs) throw error;
        await clock.sleep(retryMs);
      }
    }
  }

  #keep<Store extends { close(): Promise<void> }>(store: Store): Store {
    this.#opened.push(store);
    return store;
  }

  async #close(): Promise<void> {
    try {
      for (const store of this.#opened.toReversed()) await store.close();
      await this.database.close();
    } finally {
      await this.#connection?.close();
    }
  }
}

/** How long a command waits for a data directory that is in use by a process that does not answer yet. */
const patienceMs = 3_000;
const retryMs = 100;

function connect({ dataDirectory }: Configuration): Promise<OperatorConnection | undefined> {
  return OperatorConnection.open({ dataDirectory, version });
}
