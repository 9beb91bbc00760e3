import { type JobNotification, slotOf } from '../../drivers/queue/job-notification.ts';
import type { Queue, QueueDriver } from '../../drivers/queue/queue.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { LogOnce } from '../../telemetry/log-once.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { LocalSlot } from './hand-over.ts';

/** A message that was written for its stage. */
export interface Publishable {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
}

/** The worker of a stage in this process. */
export interface LocalTaker {
  /** Whether it claims a message that was just written. */
  claims(): boolean;
  slotForNew(): LocalSlot | undefined;
}

export interface PublisherOptions {
  readonly queues: { readonly kind: QueueDriver['kind']; queue(name: string): Pick<Queue, 'add'> };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
}

/** How long after one round trip to a shared store the next begins at the earliest; what comes meanwhile shares it. */
const sharedIntervalMs = 20;

/**
 * Tells stages of work after a commit. Nobody waits for it and nothing depends on it: what it could not tell the queue,
 * the sweeper tells later. Notifications of one time are one, so what waits here is bounded by the number of stages and
 * of the times at which their messages become due.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #takers = new Map<string, LocalTaker>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * From now on this process is asked first whether it claims a stage's new messages itself: then nothing need go
   * through the queue. Should it die on it, the sweeper finds the messages as it finds every other.
   */
  takeLocally(stage: string, taker: LocalTaker): void {
    this.#takers.set(stage, taker);
  }

  /** A slot of this process for a message that is about to be written; undefined when it has none, or others may come first. */
  slotFor(stage: string): LocalSlot | undefined {
    return this.#takers.get(stage)?.slotForNew();
  }

  /** A message that was just written for its stage, and perhaps begun here already. */
  enqueued({ id, owner, stage }: Publishable, isBegun = false): void {
    this.#options.metrics.increment('stage_enqueued_total', { owner, stage });
    if (!isBegun) this.notify(stage, id);
  }

  /** Tells a stage of a message that is due now, or after a delay. */
  notify(stage: string, messageId: Uuid, delayMs = 0): void {
    if (delayMs > 0) this.notifyLater(stage, delayMs, messageId);
    else if (this.#takers.get(stage)?.claims() !== true) this.notifyOthers(stage);
  }

  /** Tells a stage after a delay, of a message if there is one to ask about. */
  notifyLater(stage: string, delayMs: number, messageId: Uuid | undefined): void {
    this.#outboxOf(stage).submit({ ...(messageId === undefined ? {} : { messageId }), delayMs });
  }

  /** Tells the queue of a stage that there is work now, whether or not this process could do it too. */
  notifyOthers(stage: string): void {
    this.#outboxOf(stage).submit({});
  }

  /** Resolves when every notification has been added, or has failed. */
  async drain(): Promise<void> {
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.drain()));
  }

  #outboxOf(stage: string): Outbox {
    const known = this.#outboxes.get(stage);
    if (known !== undefined) return known;
    const { queues, clock, logger } = this.#options;
    const complaints = new LogOnce();
    const isShared = queues.kind !== 'memory' && queues.kind !== 'inline';
    const timing = { clock, intervalMs: isShared ? sharedIntervalMs : 0, isExact: queues.kind === 'inline' };
    const outbox = new Outbox(queues.queue(stage), timing, (error) => {
      // The messages are safe in the ledger; the sweeper will find them unseen.
      if (complaints.isNew(stage)) {
        logger.warn({ error, stage }, 'the queue cannot be told of messages; the sweeper will');
      }
    });
    this.#outboxes.set(stage, outbox);
    return outbox;
  }
}

interface Timing {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Whether every time is kept as it is (the test kit, whose time stands). */
  readonly isExact: boolean;
}

/** The notifications for one queue, one round trip after another. */
class Outbox {
  readonly #queue: Pick<Queue, 'add'>;
  readonly #timing: Timing;
  readonly #onFailed: (error: unknown) => void;
  readonly #waiting = new Map<string, JobNotification & { readonly dueMs: number }>();
  #flushing: Promise<void> | undefined;
  #lastMs = -Infinity;

  constructor(queue: Pick<Queue, 'add'>, timing: Timing, onFailed: (error: unknown) => void) {
    this.#queue = queue;
    this.#timing = timing;
    this.#onFailed = onFailed;
  }

  submit(notification: JobNotification): void {
    const { clock, isExact } = this.#timing;
    const nowMs = clock.monotonicMs();
    const { delayMs = 0 } = notification;
    const id = isExact ? String(delayMs) : slotOf(notification, nowMs).id;
    // Of those that become one, the last says when.
    const dueMs = Math.max(nowMs + delayMs, this.#waiting.get(id)?.dueMs ?? 0);
    this.#waiting.set(id, { ...notification, dueMs });
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
  }

  async drain(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  async #flush(): Promise<void> {
    const { clock, intervalMs, isExact } = this.#timing;
    while (this.#waiting.size > 0) {
      const restMs = this.#lastMs + intervalMs - clock.monotonicMs();
      // At least to the end of this turn of the event loop: what is committed together is notified together.
      await (restMs > 0 ? clock.sleep(restMs) : new Promise((resolve) => setImmediate(resolve)));
      const nowMs = clock.monotonicMs();
      this.#lastMs = nowMs;
      const told = [...this.#waiting.values()].map(({ messageId, delayMs = 0, dueMs }) => ({
        ...(messageId === undefined ? {} : { messageId }),
        delayMs: isExact || delayMs <= 0 ? delayMs : Math.max(0, dueMs - nowMs),
      }));
      this.#waiting.clear();
      try {
        await this.#queue.add(told);
      } catch (error) {
        this.#onFailed(error);
      }
    }
  }
}
