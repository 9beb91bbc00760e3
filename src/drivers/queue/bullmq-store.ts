import type { BackendFactory, IQueueBackend } from 'bullmq';
import type { QueueDriver } from './queue.ts';

/** Makes BullMQ's backend for a queue or a worker; it brings its own connection and ignores the option of that name. */
export type BullMqBackend = BackendFactory<IQueueBackend, object>;

/** Where BullMQ keeps its jobs. */
export interface BullMqStore {
  readonly kind: QueueDriver['kind'];
  /** For queues: one shared connection, which fails soon when the store is away. */
  readonly backend: BullMqBackend;
  /** From how many jobs on adding them in bulk is quicker than one by one. */
  readonly bulkFrom: number;
  /** BullMQ's name for a queue. */
  queueName(name: string): string;
  /** The prefix of BullMQ's keys, where the store has keys. */
  readonly keyPrefix?: string;
  /** For one consumer: connections of its own, which wait for a store that is away. */
  connectConsumer(): ConsumerConnection;
  ping(): Promise<void>;
  /** See QueueDriver. */
  warnings(): Promise<readonly string[]>;
  /** See QueueDriver. */
  serverTime?(): Promise<Date | undefined>;
  close(): Promise<void>;
}

/** The connections of one consumer. */
export interface ConsumerConnection {
  readonly backend: BullMqBackend;
  /** Whether its store can be reached, as far as is known. */
  isUp(): boolean;
  /** Closes them; what still waits for an answer fails. */
  close(): Promise<void>;
}
