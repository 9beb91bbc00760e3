import type { Uuid } from '../../kernel/ids.ts';

/** "There is work": tells whoever works on a stage that it has messages that are due now, or after a delay. */
export interface JobNotification {
  /** With a delay: one of the messages meant. Whoever finds nothing then asks the ledger about it. */
  readonly messageId?: Uuid;
  /** Not before this much time has passed; 0 or absent: now. */
  readonly delayMs?: number;
}

/** Notifications of one time are one. */
export interface NotificationSlot {
  /** The job's id. */
  readonly id: string;
  /** How long until it is due; 0: now. */
  readonly delayMs: number;
}

const leastWidthMs = 50;
const widthsPerDelay = 16;

/**
 * The slot of a notification. One that is due at once is the same as any other of its queue. Delayed ones are rounded up
 * to a grid that is the coarser the later they are due: at most a sixteenth of the delay late, or 50 ms. So a queue holds
 * some hundreds of them at most, however many messages wait.
 */
export function slotOf({ delayMs = 0 }: JobNotification, nowMs: number): NotificationSlot {
  if (delayMs <= 0) return { id: 'now', delayMs: 0 };
  const width = Math.max(leastWidthMs, 2 ** Math.floor(Math.log2(delayMs / widthsPerDelay)));
  const dueMs = Math.ceil((nowMs + delayMs) / width) * width;
  return { id: `at-${dueMs}`, delayMs: dueMs - nowMs };
}
