import type { JobNotification } from './job-notification.ts';

/*
 * The queue only tells of work: the ledger is the truth, and workers claim from it. A notification may be delivered twice
 * or not at all; the sweeper adds what went missing, and adding one that is already there changes nothing.
 */

export interface QueueCounts {
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
}

export interface QueueConsumer {
  /** Takes no more notifications from now on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Stops taking; resolves when nothing is taken any more. */
  close(): Promise<void>;
}

/** Who consumes a queue. */
export interface NotificationHandler {
  /** Asked before one is taken; false puts it back, for other consumers. */
  readonly mayTake: () => Promise<boolean>;
  /**
   * Called when a notification was taken and has left the queue: whatever was committed before another like it was
   * refused as a repeat can be seen now.
   */
  readonly onTaken: (notification: JobNotification) => void | Promise<void>;
  readonly onError: (error: Error) => void;
}

/** One named queue: the notifications of a stage. */
export interface Queue {
  readonly name: string;
  /** Adds notifications in one round trip; one whose slot (see slotOf) is there already is left out. */
  add(notifications: readonly JobNotification[]): Promise<void>;
  counts(): Promise<QueueCounts>;
  /** Takes notifications one by one, each by one consumer. */
  consume(handler: NotificationHandler): Promise<QueueConsumer>;
  /** Removes every notification. */
  clear(): Promise<void>;
}

/** A way to reach queues: BullMQ on Redis or on PostgreSQL, or this process's memory. */
export interface QueueDriver {
  /** 'inline' delivers when a test says so (the test kit). */
  readonly kind: 'redis' | 'postgres' | 'memory' | 'inline';
  /** The queue of this name, made when first asked for. */
  queue(name: string): Queue;
  /**
   * A mark in the queue's store that lives as long as its jobs do. `false` the first time, and again after the
   * store was emptied: the sweeper then tells every stage that has messages anew.
   */
  wasKept(): Promise<boolean>;
  ping(): Promise<void>;
  /** Things about the store that would break a promise, in words (Redis without AOF, wrong eviction policy). */
  warnings(): Promise<readonly string[]>;
  /** The time at the store; absent for stores in this process. */
  serverTime?(): Promise<Date | undefined>;
  /** Closes consumers first, then queues, then connections. */
  close(): Promise<void>;
}
