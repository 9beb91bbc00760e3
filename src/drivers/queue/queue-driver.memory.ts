import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Queue, QueueConsumer, QueueCounts, QueueDriver, WakeUp } from './queue.ts';

/*
 * Queues in the memory of this process, for the embedded mode. They begin empty and end with the process: the ledger is
 * the truth, and the sweeper makes them anew at the next start. What is in a queue is bounded. Past `maxJobs` a queue
 * keeps only the number of jobs: any job lets the stage run whichever message is next, so one message's serves for all.
 * Delayed ones past it are left to the sweeper, which finds their messages when they are due.
 */

/** How many jobs of one queue are kept one by one. */
const defaultMaxJobs = 20_000;

export interface MemoryQueueOptions {
  readonly clock: Clock;
  readonly maxJobs?: number;
}

type Work = (wakeUp: WakeUp) => Promise<void | 'return'>;

interface ConsumeOptions {
  readonly concurrency: number;
  readonly onError: (error: Error) => void;
}

interface DelayedJob {
  readonly id: string;
  readonly wakeUp: WakeUp;
  readonly dueMs: number;
}

export class MemoryQueueDriver implements QueueDriver {
  readonly kind = 'memory';
  readonly #options: Required<MemoryQueueOptions>;
  readonly #queues = new Map<string, MemoryQueue>();
  #wasMarked = false;
  #closing: Promise<void> | undefined;

  constructor({ clock, maxJobs = defaultMaxJobs }: MemoryQueueOptions) {
    this.#options = { clock, maxJobs };
  }

  queue(name: string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = new MemoryQueue(name, this.#options, () => this.#requireOpen(`add to ${name}`));
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
  readonly #options: Required<MemoryQueueOptions>;
  readonly #requireOpen: () => void;
  readonly #waiting = new Map<string, WakeUp>();
  readonly #consumers = new Set<MemoryConsumer>();
  readonly #delayed = new Map<string, DelayedJob>();
  /** How many more jobs wait than are kept one by one, and one of them. */
  #surplus = 0;
  #sample: WakeUp | undefined;
  #isDispatching = false;
  #alarm: { readonly dueMs: number; readonly cancel: () => void } | undefined;

  constructor(name: string, options: Required<MemoryQueueOptions>, requireOpen: () => void) {
    this.name = name;
    this.#options = options;
    this.#requireOpen = requireOpen;
  }

  async add(wakeUps: readonly WakeUp[]): Promise<void> {
    this.#requireOpen();
    for (const wakeUp of wakeUps) this.#put(wakeUp);
    this.#setAlarm();
    this.#dispatchSoon();
    await Promise.resolve();
  }

  counts(): Promise<QueueCounts> {
    const active = [...this.#consumers].reduce((sum, consumer) => sum + consumer.active, 0);
    return Promise.resolve({
      waiting: this.#waiting.size + this.#surplus,
      delayed: this.#delayed.size,
      active,
    });
  }

  async consume(work: Work, options: ConsumeOptions): Promise<QueueConsumer> {
    this.#requireOpen();
    const consumer = new MemoryConsumer(work, options, {
      onFree: () => this.#dispatchSoon(),
      onReturned: (wakeUp) => this.#putBack(wakeUp),
      onClosed: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    this.#dispatchSoon();
    return await Promise.resolve(consumer);
  }

  clear(): Promise<void> {
    this.#waiting.clear();
    this.#delayed.clear();
    this.#surplus = 0;
    this.#setAlarm();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
  }

  #put(wakeUp: WakeUp): void {
    const id = idOf(wakeUp);
    if (this.#waiting.has(id) || this.#delayed.has(id)) return;
    const { clock, maxJobs } = this.#options;
    const { delayMs = 0, ...job } = wakeUp;
    if (delayMs > 0) {
      if (this.#delayed.size < maxJobs) {
        this.#delayed.set(id, { id, wakeUp: job, dueMs: clock.monotonicMs() + delayMs });
      }
      return;
    }
    if (this.#waiting.size < maxJobs) {
      this.#waiting.set(id, job);
      return;
    }
    this.#surplus += 1;
    this.#sample = job;
  }

  #putBack(wakeUp: WakeUp): void {
    this.#put(wakeUp);
    this.#dispatchSoon();
  }

  #take(): WakeUp | undefined {
    for (const [id, wakeUp] of this.#waiting) {
      this.#waiting.delete(id);
      return wakeUp;
    }
    if (this.#surplus === 0) return undefined;
    this.#surplus -= 1;
    return this.#sample;
  }

  /** In the next turn of the event loop, so that what is added together is handed out together. */
  #dispatchSoon(): void {
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    setImmediate(() => {
      this.#isDispatching = false;
      for (let consumer = this.#freest(); consumer !== undefined; consumer = this.#freest()) {
        const next = this.#take();
        if (next === undefined) return;
        consumer.give(next);
      }
    });
  }

  #freest(): MemoryConsumer | undefined {
    let freest: MemoryConsumer | undefined;
    for (const consumer of this.#consumers) {
      if (consumer.free > (freest?.free ?? 0)) freest = consumer;
    }
    return freest;
  }

  /** Sleeps until the first delayed job is due. */
  #setAlarm(): void {
    const first = this.#firstDueMs();
    if (first === this.#alarm?.dueMs) return;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (first === undefined) return;
    const { clock } = this.#options;
    const cancelled = new AbortController();
    this.#alarm = { dueMs: first, cancel: () => cancelled.abort() };
    clock.sleep(Math.max(0, first - clock.monotonicMs()), cancelled.signal).then(
      () => this.#ring(),
      () => undefined,
    );
  }

  #ring(): void {
    this.#alarm = undefined;
    const nowMs = this.#options.clock.monotonicMs();
    const due = [...this.#delayed.values()].filter((job) => job.dueMs <= nowMs);
    for (const { id, wakeUp } of due.toSorted((left, right) => left.dueMs - right.dueMs)) {
      this.#delayed.delete(id);
      this.#put(wakeUp);
    }
    this.#setAlarm();
    this.#dispatchSoon();
  }

  #firstDueMs(): number | undefined {
    let first: number | undefined;
    for (const { dueMs } of this.#delayed.values()) if (first === undefined || dueMs < first) first = dueMs;
    return first;
  }
}

interface ConsumerEvents {
  readonly onFree: () => void;
  readonly onReturned: (wakeUp: WakeUp) => void;
  readonly onClosed: () => void;
}

class MemoryConsumer implements QueueConsumer {
  readonly #work: Work;
  readonly #onError: (error: Error) => void;
  readonly #events: ConsumerEvents;
  readonly #inHand = new Set<Promise<void>>();
  #concurrency: number;
  #isPaused = false;
  #isClosed = false;

  constructor(work: Work, { concurrency, onError }: ConsumeOptions, events: ConsumerEvents) {
    this.#work = work;
    this.#onError = onError;
    this.#events = events;
    this.#concurrency = concurrency;
  }

  get active(): number {
    return this.#inHand.size;
  }

  /** How many jobs it would take at this moment. */
  get free(): number {
    return this.#isPaused || this.#isClosed ? 0 : Math.max(0, this.#concurrency - this.#inHand.size);
  }

  give(wakeUp: WakeUp): void {
    const run = this.#run(wakeUp).finally(() => {
      this.#inHand.delete(run);
      this.#events.onFree();
    });
    this.#inHand.add(run);
  }

  pause(): Promise<void> {
    this.#isPaused = true;
    return Promise.resolve();
  }

  resume(): Promise<void> {
    this.#isPaused = false;
    this.#events.onFree();
    return Promise.resolve();
  }

  setConcurrency(concurrency: number): void {
    this.#concurrency = concurrency;
    this.#events.onFree();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#inHand);
    this.#events.onClosed();
  }

  async #run(wakeUp: WakeUp): Promise<void> {
    try {
      if ((await this.#work(wakeUp)) === 'return') this.#events.onReturned(wakeUp);
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function idOf({ messageId, fence }: WakeUp): string {
  return `${messageId}-${fence}`;
}
