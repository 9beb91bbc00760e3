import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import type { PayloadStore } from '../drivers/payload-store/payload-store.ts';
import type { Queue, QueueDriver } from '../drivers/queue/queue.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { Clock } from '../kernel/clock.ts';

/* What an operator's command works on: the stores of an installation, opened for it or lent by the host that has them open. */

/** Tells the stages of an installation of work. */
export interface StageNotifications {
  readonly kind: QueueDriver['kind'];
  queue(name: string): Pick<Queue, 'add'>;
}

/** The ledger, and what a command may ask for besides. */
export interface LedgerAccess {
  readonly database: SqlDatabase;
  /** The ledger's time: what a command writes or asks for goes by it, whatever this machine's clock shows. */
  readonly clock: Clock;
  /** Whether the command keeps an embedded ledger for itself: no host runs on it, and none can until the command has ended. */
  readonly isAlone: boolean;
  /** The queues; undefined where none runs: embedded ones are filled from the ledger when their host starts. */
  readonly notifications: () => Promise<StageNotifications | undefined>;
  /** Large bodies. Whoever opens them closes them. */
  readonly openPayloads: () => Promise<PayloadStore>;
}

/** Ledger and column store. */
export interface StoreAccess extends LedgerAccess {
  readonly columns: ColumnStore;
}

/** An installation, by its configuration. Nothing is open before work is given to it, or after. */
export interface Installation<Settings> {
  readonly settings: Settings;
  /**
   * The ledger alone, which works while every other store is away. Throws MILLRACE_DATA_NOT_FOUND, MILLRACE_DATA_IN_USE and
   * MILLRACE_SCHEMA_OUTDATED.
   */
  readonly withLedger: <Result>(work: (access: LedgerAccess) => Promise<Result>) => Promise<Result>;
  /** Both stores; throws the same. */
  readonly withStores: <Result>(work: (access: StoreAccess) => Promise<Result>) => Promise<Result>;
}
