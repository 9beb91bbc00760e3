import type { Queue, QueueConsumer, QueueCounts, QueueDriver, WakeUp } from '../drivers/queue/queue.ts';

/** A job that waits, or that is not due yet. */
interface Job {
  readonly wakeUp: WakeUp;
  readonly dueMs: number;
}

/**
 * A queue in this process without a store, for the test kit: jobs run one after another in the order in which they were
 * added, when `runAll` is called, so that a test sees the same order every time.
 */
class InlineQueue implements Queue {
  readonly name: string;
  readonly #driver: InlineQueueDriver;
  readonly #jobs = new Map<string, Job>();
  #work: ((wakeUp: WakeUp) => Promise<void | 'return'>) | undefined;

  constructor(name: string, driver: InlineQueueDriver) {
    this.name = name;
    this.#driver = driver;
  }

  add(wakeUps: readonly WakeUp[]): Promise<void> {
    for (const wakeUp of wakeUps) {
      const id = `${wakeUp.messageId}-${wakeUp.fence}`;
      if (!this.#jobs.has(id))
        this.#jobs.set(id, { wakeUp, dueMs: this.#driver.nowMs + (wakeUp.delayMs ?? 0) });
    }
    return Promise.resolve();
  }

  counts(): Promise<QueueCounts> {
    const delayed = [...this.#jobs.values()].filter((job) => job.dueMs > this.#driver.nowMs).length;
    return Promise.resolve({ waiting: this.#jobs.size - delayed, delayed, active: 0 });
  }

  consume(work: (wakeUp: WakeUp) => Promise<void | 'return'>): Promise<QueueConsumer> {
    this.#work = work;
    return Promise.resolve({
      pause: () => Promise.resolve(),
      resume: () => Promise.resolve(),
      setConcurrency: () => undefined,
      close: () => {
        this.#work = undefined;
        return Promise.resolve();
      },
    });
  }

  clear(): Promise<void> {
    this.#jobs.clear();
    return Promise.resolve();
  }

  /** Runs the next job that is due; false when there is none. */
  async runNext(): Promise<boolean> {
    const work = this.#work;
    const next = [...this.#jobs].find(([, job]) => job.dueMs <= this.#driver.nowMs);
    if (next === undefined || work === undefined) return false;
    this.#jobs.delete(next[0]);
    await work(next[1].wakeUp);
    return true;
  }
}

/** The queues of a test kit. Time stands until `advance`. */
export class InlineQueueDriver implements QueueDriver {
  readonly kind = 'inline';
  nowMs = 0;
  readonly #queues = new Map<string, InlineQueue>();

  queue(name: string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = new InlineQueue(name, this);
    this.#queues.set(name, queue);
    return queue;
  }

  /** Runs one job that is due, of whichever queue; false when there is none. */
  async runNext(): Promise<boolean> {
    for (const queue of this.#queues.values()) if (await queue.runNext()) return true;
    return false;
  }

  wasKept(): Promise<boolean> {
    return Promise.resolve(true);
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  warnings(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
