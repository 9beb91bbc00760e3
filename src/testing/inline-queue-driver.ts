import type { JobNotification } from '../drivers/queue/job-notification.ts';
import type {
  NotificationHandler,
  Queue,
  QueueConsumer,
  QueueCounts,
  QueueDriver,
} from '../drivers/queue/queue.ts';

/**
 * A queue in this process without a store, for the test kit: notifications are delivered one after another when `runNext`
 * is called, so that a test sees the same order every time.
 */
class InlineQueue implements Queue {
  readonly name: string;
  readonly #driver: InlineQueueDriver;
  /** By when they are due. */
  readonly #notifications = new Map<number, JobNotification>();
  #handler: NotificationHandler | undefined;

  constructor(name: string, driver: InlineQueueDriver) {
    this.name = name;
    this.#driver = driver;
  }

  add(notifications: readonly JobNotification[]): Promise<void> {
    for (const notification of notifications) {
      const dueMs = this.#driver.nowMs + (notification.delayMs ?? 0);
      if (!this.#notifications.has(dueMs)) this.#notifications.set(dueMs, notification);
    }
    return Promise.resolve();
  }

  counts(): Promise<QueueCounts> {
    const delayed = [...this.#notifications.keys()].filter((dueMs) => dueMs > this.#driver.nowMs).length;
    return Promise.resolve({ waiting: this.#notifications.size - delayed, delayed, active: 0 });
  }

  consume(handler: NotificationHandler): Promise<QueueConsumer> {
    this.#handler = handler;
    return Promise.resolve({
      pause: () => Promise.resolve(),
      resume: () => Promise.resolve(),
      close: () => {
        this.#handler = undefined;
        return Promise.resolve();
      },
    });
  }

  clear(): Promise<void> {
    this.#notifications.clear();
    return Promise.resolve();
  }

  /** Delivers the next one that is due, to its end; false when there is none. */
  async runNext(): Promise<boolean> {
    const handler = this.#handler;
    const next = [...this.#notifications].find(([dueMs]) => dueMs <= this.#driver.nowMs);
    if (next === undefined || handler === undefined) return false;
    const [dueMs, notification] = next;
    this.#notifications.delete(dueMs);
    await handler.onTaken(notification);
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

  /** Delivers one notification that is due, of whichever queue; false when there is none. */
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
