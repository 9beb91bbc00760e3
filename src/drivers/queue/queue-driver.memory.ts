import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { type JobNotification, slotOf } from './job-notification.ts';
import type { NotificationHandler, Queue, QueueConsumer, QueueCounts, QueueDriver } from './queue.ts';

/*
 * Queues in the memory of this process, for the embedded mode. They begin empty and end with the process: the ledger is
 * the truth, and the sweeper tells the stages anew at the next start. A queue holds one notification that is due and a
 * bounded number of delayed ones (see slotOf).
 */

export class MemoryQueueDriver implements QueueDriver {
  readonly kind = 'memory';
  readonly #clock: Clock;
  readonly #queues = new Map<string, MemoryQueue>();
  #wasMarked = false;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  queue(name: string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = new MemoryQueue(name, this.#clock, () => this.#requireOpen(`add to ${name}`));
    this.#queues.set(name, queue);
    return queue;
  }

  async wasKept(): Promise<boolean> {
    await this.ping();
    const wasMarked = this.#wasMarked;
    this.#wasMarked = true;
    return wasMarked;
  }

  ping(): Promise<void> {
    return new Promise((resolve) => {
      this.#requireOpen('ping');
      resolve();
    });
  }

  warnings(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#queues.values()].map((queue) => queue.close())).then(
      () => undefined,
    );
    return this.#closing;
  }

  #requireOpen(what: string): void {
    if (this.#closing === undefined) return;
    throw new AppError('MILLRACE_QUEUE_UNAVAILABLE', `The queue is closed: ${what} was not done.`);
  }
}

class MemoryQueue implements Queue {
  readonly name: string;
  readonly #clock: Clock;
  readonly #requireOpen: () => void;
  readonly #consumers: MemoryConsumer[] = [];
  readonly #waiting = new Map<string, JobNotification>();
  readonly #delayed = new Map<string, { readonly notification: JobNotification; readonly dueMs: number }>();
  readonly #closed = new AbortController();
  #isDelivering = false;

  constructor(name: string, clock: Clock, requireOpen: () => void) {
    this.name = name;
    this.#clock = clock;
    this.#requireOpen = requireOpen;
  }

  async add(notifications: readonly JobNotification[]): Promise<void> {
    this.#requireOpen();
    for (const notification of notifications) this.#put(notification);
    await Promise.resolve();
  }

  counts(): Promise<QueueCounts> {
    const active = this.#consumers.filter((consumer) => consumer.isAsking).length;
    return Promise.resolve({ waiting: this.#waiting.size, delayed: this.#delayed.size, active });
  }

  async consume(handler: NotificationHandler): Promise<QueueConsumer> {
    this.#requireOpen();
    const consumer = new MemoryConsumer(handler, () => this.#deliverSoon());
    this.#consumers.push(consumer);
    this.#deliverSoon();
    return await Promise.resolve(consumer);
  }

  clear(): Promise<void> {
    this.#waiting.clear();
    this.#delayed.clear();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
  }

  #put(notification: JobNotification): void {
    const nowMs = this.#clock.monotonicMs();
    const { id, delayMs } = slotOf(notification, nowMs);
    if (delayMs === 0) {
      if (!this.#waiting.has(id)) this.#waiting.set(id, notification);
      this.#deliverSoon();
      return;
    }
    if (this.#delayed.has(id)) return;
    this.#delayed.set(id, { notification, dueMs: nowMs + delayMs });
    this.#clock.sleep(delayMs, this.#closed.signal).then(
      () => this.#become(id),
      () => undefined,
    );
  }

  /** A delayed one is due, unless the queue was cleared meanwhile. */
  #become(id: string): void {
    const due = this.#delayed.get(id);
    if (due === undefined) return;
    this.#delayed.delete(id);
    this.#waiting.set(id, due.notification);
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    if (this.#isDelivering || this.#closed.signal.aborted) return;
    this.#isDelivering = true;
    setImmediate(() => {
      this.#isDelivering = false;
      for (const consumer of this.#consumers) {
        if (!consumer.isReady) continue;
        const [next] = this.#waiting;
        if (next === undefined) return;
        const [id, notification] = next;
        this.#waiting.delete(id);
        void consumer.offer(notification).then((isTaken) => {
          if (!isTaken && !this.#waiting.has(id)) this.#waiting.set(id, notification);
          this.#deliverSoon();
        });
      }
    });
  }
}

class MemoryConsumer implements QueueConsumer {
  readonly #handler: NotificationHandler;
  readonly #onReady: () => void;
  #asking: Promise<boolean> | undefined;
  #isPaused = false;
  #isClosed = false;

  constructor(handler: NotificationHandler, onReady: () => void) {
    this.#handler = handler;
    this.#onReady = onReady;
  }

  get isAsking(): boolean {
    return this.#asking !== undefined;
  }

  get isReady(): boolean {
    return !this.#isPaused && !this.#isClosed && this.#asking === undefined;
  }

  /** False: it goes back into the queue. */
  offer(notification: JobNotification): Promise<boolean> {
    const asking = this.#offer(notification).finally(() => {
      this.#asking = undefined;
    });
    this.#asking = asking;
    return asking;
  }

  pause(): Promise<void> {
    this.#isPaused = true;
    return Promise.resolve();
  }

  resume(): Promise<void> {
    this.#isPaused = false;
    this.#onReady();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#asking;
  }

  async #offer(notification: JobNotification): Promise<boolean> {
    try {
      if (!(await this.#handler.mayTake())) return false;
      await this.#handler.onTaken(notification);
    } catch (error) {
      this.#handler.onError(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  }
}
