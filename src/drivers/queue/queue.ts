import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';

/*
 * The queue is only a wake-up call: the ledger is the truth. A job may be delivered twice or not at all;
 * the sweeper adds what went missing, and adding a job that is already there changes nothing.
 */

/**
 * A call to look at one message. The job's id is the message's id, followed by "-<fence>" when the fence is above 0:
 * a message that is to be taken again must not be mistaken for the job of its dead worker.
 */
export interface WakeUp {
  readonly messageId: Uuid;
  /** The message's fence when it was published. */
  readonly fence: number;
  readonly origin: Origin;
  readonly lane: string;
  readonly traceParent?: string;
  /** Not before this much time has passed; 0 or absent: now. */
  readonly delayMs?: number;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
}

export interface QueueConsumer {
  /** Takes no more jobs from now on; those in hand go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  setConcurrency(concurrency: number): void;
  /** Stops taking, resolves when the jobs in hand have ended. */
  close(): Promise<void>;
}

/** One named queue. */
export interface Queue {
  readonly name: string;
  /** Adds jobs in one round trip; one whose message already has a job is left as it is. */
  add(wakeUps: readonly WakeUp[]): Promise<void>;
  counts(): Promise<QueueCounts>;
  /**
   * Hands jobs to `work`, at most `concurrency` at once. A job is done when `work` resolves, and goes back into the
   * queue when that is with "return"; an error of `work` is reported and the job given up: the sweeper brings it back.
   */
  consume(
    work: (wakeUp: WakeUp) => Promise<void | 'return'>,
    options: { readonly concurrency: number; readonly onError: (error: Error) => void },
  ): Promise<QueueConsumer>;
  /** Removes every job. */
  clear(): Promise<void>;
}

/** A way to reach queues: BullMQ on Redis or on PostgreSQL, or this process's memory. */
export interface QueueDriver {
  /** 'inline' runs one job after another, each to its end (the test kit). */
  readonly kind: 'redis' | 'postgres' | 'memory' | 'inline';
  /** The queue of this name, made when first asked for. */
  queue(name: string): Queue;
  /**
   * A mark in the queue's store that lives as long as its jobs do. `false` the first time, and again after the
   * store was emptied: the sweeper then adds every pending message anew.
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
