import { type IQueueBackend, type JobsOptions, Queue as BullMqQueue, type QueueOptions } from 'bullmq';
import { AppError } from '../../kernel/app-error.ts';
import { type Clock, systemClock, within } from '../../kernel/clock.ts';
import { BullMqConsumer } from './bullmq-consumer.ts';
import { PostgresStore } from './bullmq-store.postgres.ts';
import { RedisStore } from './bullmq-store.redis.ts';
import type { BullMqStore } from './bullmq-store.ts';
import { type JobNotification, slotOf } from './job-notification.ts';
import type { NotificationHandler, Queue, QueueConsumer, QueueCounts, QueueDriver } from './queue.ts';

export interface BullMqOptions {
  /** redis:, rediss:, postgres: or postgresql:. */
  readonly url: string;
  /** Distinguishes installations that share a store. */
  readonly prefix: string;
  /** Default the machine's. */
  readonly clock?: Clock;
}

/** BullMQ's own class for a queue, on any store. */
export type AnyBullMqQueue = BullMqQueue<
  JobNotification,
  void,
  string,
  JobNotification,
  void,
  string,
  IQueueBackend,
  object
>;

// BullMQ has no option not to write events; nobody reads them, so few are kept.
const keptEvents = 100;

// How long a queue waits for a store that is away before it says so.
const firstMeetingMs = 10_000;

// A job in a queue that nobody consumes lives exactly as long as the others do.
const markQueue = 'kept';
const markId = 'kept';

/** Queues by BullMQ, on Redis or on PostgreSQL. */
export class BullMqQueueDriver implements QueueDriver {
  readonly kind: QueueDriver['kind'];
  readonly #store: BullMqStore;
  readonly #clock: Clock;
  readonly #queues = new Map<string, OpenQueue>();
  #closing: Promise<void> | undefined;

  private constructor(store: BullMqStore, clock: Clock) {
    this.kind = store.kind;
    this.#store = store;
    this.#clock = clock;
  }

  /** Connects to the store. Throws MILLRACE_QUEUE_UNAVAILABLE when it cannot be reached. */
  static async open(options: BullMqOptions): Promise<BullMqQueueDriver> {
    return new BullMqQueueDriver(
      await orUnavailable('open', () => openStore(options)),
      options.clock ?? systemClock,
    );
  }

  queue(name: string): Queue {
    return this.#open(name);
  }

  /** BullMQ's own queue of this name, for what the port does not offer. The driver closes it. */
  bullMqQueue(name: string): Promise<AnyBullMqQueue> {
    return this.#orUnavailable(`open ${name}`, () => this.#open(name).bullMq());
  }

  wasKept(): Promise<boolean> {
    return this.#orUnavailable('wasKept', async () => {
      const queue = await this.#open(markQueue).bullMq();
      if ((await queue.getJob(markId)) !== undefined) return true;
      await queue.add(markId, {}, { jobId: markId });
      return false;
    });
  }

  ping(): Promise<void> {
    return this.#orUnavailable('ping', () => this.#store.ping());
  }

  warnings(): Promise<readonly string[]> {
    return this.#orUnavailable('warnings', () => this.#store.warnings());
  }

  serverTime(): Promise<Date | undefined> {
    return this.#orUnavailable('serverTime', () => this.#store.serverTime?.() ?? Promise.resolve(undefined));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const queues = [...this.#queues.values()];
    await Promise.all(queues.map((queue) => queue.closeConsumers()));
    await Promise.all(queues.map((queue) => queue.close()));
    await this.#store.close();
  }

  readonly #orUnavailable: Guard = async (what, run) => {
    if (this.#closing === undefined) return await orUnavailable(what, run);
    throw new AppError('MILLRACE_QUEUE_UNAVAILABLE', `The queue is closed: ${what} was not done.`);
  };

  #open(name: string): OpenQueue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = new OpenQueue(name, { store: this.#store, clock: this.#clock }, this.#orUnavailable);
    this.#queues.set(name, queue);
    return queue;
  }
}

/** Runs what asks the store, and says unavailable when that fails. */
type Guard = <T>(what: string, run: () => Promise<T>) => Promise<T>;

interface OpenQueueSurroundings {
  readonly store: BullMqStore;
  readonly clock: Clock;
}

/** One queue, with what was opened for it. */
class OpenQueue implements Queue {
  readonly name: string;
  #opened: Promise<AnyBullMqQueue> | undefined;
  readonly #store: BullMqStore;
  readonly #clock: Clock;
  readonly #orUnavailable: Guard;
  readonly #consumers: Promise<BullMqConsumer>[] = [];

  constructor(name: string, { store, clock }: OpenQueueSurroundings, guard: Guard) {
    this.name = name;
    this.#store = store;
    this.#clock = clock;
    this.#orUnavailable = guard;
  }

  /** BullMQ's queue, once it has met its store. One whose first meeting failed would fail for ever: the next is new. */
  bullMq(): Promise<AnyBullMqQueue> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #open(): Promise<AnyBullMqQueue> {
    const queue: AnyBullMqQueue = new BullMqQueue(
      this.#store.queueName(this.name),
      bullMqOptionsOf(this.#store),
      this.#store.backend,
    );
    // The call itself fails.
    queue.on('error', () => undefined);
    try {
      await within(
        this.#clock,
        firstMeetingMs,
        queue.waitUntilReady(),
        () => new Error(`no answer in ${firstMeetingMs} ms`),
      );
      return queue;
    } catch (error) {
      await queue.close();
      throw error;
    }
  }

  /** Ends BullMQ's queue, if there is one. */
  async close(): Promise<void> {
    // One that could not be opened has ended already, and failed the call that asked for it.
    const [opened] = await Promise.allSettled([this.#opened]);
    if (opened.status === 'fulfilled') await opened.value?.close();
  }

  async add(notifications: readonly JobNotification[]): Promise<void> {
    if (notifications.length === 0) return;
    const jobs = notifications.map((notification) => jobOf(notification, this.#clock));
    await this.#orUnavailable(`add to ${this.name}`, async () => {
      const queue = await this.bullMq();
      if (jobs.length >= this.#store.bulkFrom) await queue.addBulk(jobs);
      else await Promise.all(jobs.map(({ name, data, opts }) => queue.add(name, data, opts)));
    });
  }

  async counts(): Promise<QueueCounts> {
    const counts = await this.#orUnavailable(`counts of ${this.name}`, async () =>
      (await this.bullMq()).getJobCounts('waiting', 'delayed', 'active'),
    );
    return {
      waiting: counts['waiting'] ?? 0,
      delayed: counts['delayed'] ?? 0,
      active: counts['active'] ?? 0,
    };
  }

  consume(handler: NotificationHandler): Promise<QueueConsumer> {
    return this.#orUnavailable(`consume ${this.name}`, () => {
      const consumer = BullMqConsumer.start(this.name, { store: this.#store, clock: this.#clock }, handler);
      this.#consumers.push(consumer);
      return consumer;
    });
  }

  async clear(): Promise<void> {
    await this.#orUnavailable(`clear ${this.name}`, async () =>
      (await this.bullMq()).obliterate({ force: true }),
    );
  }

  async closeConsumers(): Promise<void> {
    for (const started of await Promise.allSettled(this.#consumers)) {
      if (started.status === 'fulfilled') await started.value.close();
    }
  }
}

/** A job as BullMQ's addBulk takes it. */
interface NewJob {
  readonly name: string;
  readonly data: JobNotification;
  readonly opts: JobsOptions & { readonly jobId: string };
}

function jobOf(notification: JobNotification, clock: Clock): NewJob {
  const { id, delayMs } = slotOf(notification, clock.now().getTime());
  const { messageId } = notification;
  return {
    name: 'work',
    data: delayMs > 0 && messageId !== undefined ? { messageId } : {},
    opts: { jobId: id, ...(delayMs > 0 ? { delay: Math.ceil(delayMs) } : {}) },
  };
}

function bullMqOptionsOf(store: BullMqStore): QueueOptions<object> {
  return {
    connection: {},
    ...(store.keyPrefix === undefined ? {} : { prefix: store.keyPrefix }),
    streams: { events: { maxLen: keptEvents } },
  };
}

async function openStore({ url, prefix }: BullMqOptions): Promise<BullMqStore> {
  const scheme = new URL(url).protocol;
  if (scheme === 'redis:' || scheme === 'rediss:') return await RedisStore.open({ url, prefix });
  return await PostgresStore.open({ url, prefix });
}

async function orUnavailable<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    // Waiting does not help against a pooler.
    if (error instanceof AppError && error.code === 'MILLRACE_DATABASE_POOLED') throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new AppError('MILLRACE_QUEUE_UNAVAILABLE', `The queue store failed (${what}): ${text}`, {
      cause: error,
    });
  }
}
