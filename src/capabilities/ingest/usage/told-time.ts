import { invalidRequest } from '../../../http/request-faults.ts';

/** For how long a call that is told of again is known; older calls are refused. */
export const keptKeyDays = 35;
/** How far the clock of a source may be ahead. */
const maxAheadMs = 3_600_000;
const dayMs = 86_400_000;

/** Throws MILLRACE_REQUEST_INVALID for a call that was sent too long ago, or is yet to be. */
export function assertToldInTime(sentAt: Date, now: Date): void {
  const ageMs = now.getTime() - sentAt.getTime();
  if (ageMs <= keptKeyDays * dayMs && ageMs >= -maxAheadMs) return;
  throw invalidRequest([
    { field: 'data.sentAt', problem: `must be within the last ${keptKeyDays} days, and not ahead of now` },
  ]);
}
