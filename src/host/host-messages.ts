import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { BackgroundLoop } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import { MessageOperations } from '../capabilities/message-operations/message-operations.ts';
import { MessageSearch } from '../capabilities/message-operations/message-search.ts';
import { MessageOffice } from '../capabilities/message-operations/message-office.ts';
import { MessageWaiter } from '../capabilities/message-operations/message-waiter.ts';
import { CancelWatcher } from '../engine/pipeline/cancel-watcher.ts';
import { EndedMessages } from '../engine/pipeline/ended-messages.ts';
import type { LeaseKeeper } from '../engine/pipeline/lease-keeper.ts';
import type { MessageBodies } from '../engine/pipeline/message-bodies.ts';
import type { Publisher } from '../engine/pipeline/publisher.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { MakeChore } from './chores.ts';

export interface HostMessagesOptions {
  readonly database: SqlDatabase;
  readonly bodies: MessageBodies;
  readonly publisher: Publisher;
  readonly leases: LeaseKeeper;
  readonly metrics: MillraceMetrics;
  readonly clock: Clock;
}

const watchPauseMs = 250;

/** What a host offers about its messages: finding, steering and waiting for them. */
export class HostMessages {
  readonly office: MessageOffice;
  readonly waiter: MessageWaiter;
  /** To be told of every message that ends in this process. */
  readonly ends = new EndedMessages();
  readonly #watcher: CancelWatcher;

  constructor({ database, leases, ...options }: HostMessagesOptions) {
    const search = new MessageSearch(database);
    const operations = new MessageOperations(database);
    this.office = new MessageOffice({ ...options, search, operations });
    this.waiter = new MessageWaiter({ search, ends: this.ends });
    this.#watcher = new CancelWatcher({ operations, leases });
  }

  /** What every process does all the time. */
  watchLoop(make: MakeChore): BackgroundLoop {
    return make('watch_cancels', watchPauseMs, () => this.#watcher.look());
  }
}
