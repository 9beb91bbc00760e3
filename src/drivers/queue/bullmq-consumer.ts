import { type IQueueBackend, type Job, type JobProgress, WaitingError, Worker } from 'bullmq';
import type { Clock } from '../../kernel/clock.ts';
import type { BullMqStore, ConsumerConnection } from './bullmq-store.ts';
import type { JobNotification } from './job-notification.ts';
import type { NotificationHandler, QueueConsumer } from './queue.ts';

type NotificationWorker = Worker<JobNotification, void, string, IQueueBackend, JobProgress, object>;

// A dead worker's job is free again after at most the lock and one check; that is only a second net under the sweeper.
const lockMs = 10_000;
const stalledCheckMs = 5_000;
// A notification is never given up for having been interrupted. PostgreSQL keeps the count in 32 bits.
const maxInterruptions = 1_000_000_000;
// How soon a worker tries again after its store was away.
const retryMs = 1000;
// BullMQ asks again at once when its store answers with a refusal, thousands of times a second: a replica, a store that
// is full, that cannot write to its disk, that loads its data, or that lost its replicas.
const refusal = /^(?:READONLY|OOM|MISCONF|LOADING|NOREPLICAS|MASTERDOWN|CLUSTERDOWN)\b/;
// How long a store that is away may hold up the end of a consumer.
const closeGraceMs = 2000;

interface ConsumerSurroundings {
  readonly store: BullMqStore;
  readonly clock: Clock;
}

/**
 * Takes notifications of one queue with a BullMQ worker. A job is done at once and leaves the queue; only then is its
 * notification handed on. While it is there, another of its id is refused as a repeat, so whoever looks for work before
 * the job is gone could miss what that other was about.
 */
export class BullMqConsumer implements QueueConsumer {
  readonly #worker: NotificationWorker;
  readonly #connection: ConsumerConnection;
  readonly #handler: NotificationHandler;
  readonly #clock: Clock;
  readonly #asking = new Set<Promise<unknown>>();
  #isPaused = false;
  #isResting = false;
  #closing: Promise<void> | undefined;

  private constructor(name: string, { store, clock }: ConsumerSurroundings, handler: NotificationHandler) {
    this.#handler = handler;
    this.#clock = clock;
    this.#connection = store.connectConsumer();
    this.#worker = new Worker<JobNotification, void, string, IQueueBackend, JobProgress, object>(
      store.queueName(name),
      (job: Job<JobNotification>, token?: string) => this.#process(job, token),
      {
        connection: {},
        ...(store.keyPrefix === undefined ? {} : { prefix: store.keyPrefix }),
        concurrency: 1,
        lockDuration: lockMs,
        stalledInterval: stalledCheckMs,
        maxStalledCount: maxInterruptions,
        runRetryDelay: retryMs,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
      this.#connection.backend,
    );
    this.#worker.on('error', (error) => {
      handler.onError(error);
      if (refusal.test(error.message)) this.#rest();
    });
    this.#worker.on('failed', (_job, error) => handler.onError(error));
    this.#worker.on('completed', (job) => void handler.onTaken(job.data));
  }

  /** Begins to take notifications; resolves when the store has answered. */
  static async start(
    name: string,
    surroundings: ConsumerSurroundings,
    handler: NotificationHandler,
  ): Promise<BullMqConsumer> {
    const consumer = new BullMqConsumer(name, surroundings, handler);
    await consumer.#worker.waitUntilReady();
    return consumer;
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#worker.pause(true);
  }

  async resume(): Promise<void> {
    this.#isPaused = false;
    await this.#worker.resume();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Asks for nothing for a moment. A pause that others asked for goes on after it. */
  #rest(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    const rested = this.#worker.pause(true).then(() => this.#later(retryMs));
    rested
      .then(async () => {
        this.#isResting = false;
        if (!this.#isPaused) await this.#worker.resume();
      })
      .catch((error: unknown) =>
        this.#handler.onError(error instanceof Error ? error : new Error(String(error))),
      );
  }

  #later(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.startTimer(delayMs, resolve).unref();
    });
  }

  async #close(): Promise<void> {
    await this.pause();
    await Promise.allSettled(this.#asking);
    // What remains is BullMQ's own book-keeping, for which it waits as long as its store is away: then it is left
    // undone, and the jobs come again when their locks have run out.
    const closed = this.#worker.close(!this.#connection.isUp());
    await Promise.race([closed, this.#later(closeGraceMs)]);
    await Promise.race([this.#connection.close().then(() => closed), this.#later(closeGraceMs)]);
  }

  async #process(job: Job<JobNotification>, token: string | undefined): Promise<void> {
    // One that was fetched while pause() was called goes back too.
    if (this.#isPaused) return await putBack(job, token);
    const asking = this.#handler.mayTake();
    this.#asking.add(asking);
    try {
      if (!(await asking)) await putBack(job, token);
    } finally {
      this.#asking.delete(asking);
    }
  }
}

/** Back to the head of the queue. */
async function putBack(job: Job<JobNotification>, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}
