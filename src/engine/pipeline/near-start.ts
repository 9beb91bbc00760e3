import { msUntil, type Start } from '../../messages/start-time.ts';

/** What a clock that is measured now and then, and the time of a write, may be off by. */
const nearMs = 5000;

/**
 * Whether a stage is notified of a message as it is written. One that starts later is notified of when it does; but by the ledger's
 * clock a near time may have passed before it was written.
 */
export function isNear(start: Start | undefined, now: Date): boolean {
  return start === undefined || (start.kind === 'at' && msUntil(start, now) < nearMs);
}
