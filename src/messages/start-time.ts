import { z } from 'zod';
import { AppError } from '../kernel/app-error.ts';
import { type Duration, parseDurationMs } from '../kernel/duration.ts';

/** When a message is to start; one of the two at most. Without either, or with a time that has passed: at once. */
export interface StartOptions {
  /** Not before this time: a date, or text as of RFC 3339 ("2026-12-24T18:00:00+01:00"). At most 366 days ahead. */
  readonly startAt?: Date | string;
  /** Not before so much time has passed since it was written: "90s", "2h", "7d", or milliseconds. At most 366 days. */
  readonly delay?: Duration;
}

/** A start that is still to come: at a time, or after so much of the ledger's time. */
export type Start =
  { readonly kind: 'at'; readonly at: Date } | { readonly kind: 'after'; readonly delayMs: number };

/** How far ahead a start may lie. */
export const maxStartAheadDays = 366;
const maxAheadMs = maxStartAheadDays * 86_400_000;
const timeWithOffset = z.iso.datetime({ offset: true });

/** When a message starts that is written at `now`; undefined where that is at once. Throws MILLRACE_MESSAGE_INVALID. */
export function startOf({ startAt, delay }: StartOptions, now: Date): Start | undefined {
  if (startAt !== undefined && delay !== undefined)
    throw invalid('delay', 'is given with startAt: one of the two');
  if (startAt !== undefined) {
    const at = timeOf(startAt);
    const aheadMs = at.getTime() - now.getTime();
    if (aheadMs > maxAheadMs) throw invalid('startAt', `is at most ${maxStartAheadDays} days ahead`);
    return aheadMs > 0 ? { kind: 'at', at } : undefined;
  }
  if (delay === undefined) return undefined;
  const delayMs = parseDurationMs(delay);
  if (delayMs === undefined) throw invalid('delay', 'must be a duration such as "90s", "2h" or "7d"');
  if (delayMs > maxAheadMs) throw invalid('delay', `is at most ${maxStartAheadDays} days`);
  return delayMs > 0 ? { kind: 'after', delayMs } : undefined;
}

/** How long until it starts, seen from `now`. */
export function msUntil(start: Start, now: Date): number {
  return start.kind === 'after' ? start.delayMs : Math.max(0, start.at.getTime() - now.getTime());
}

function timeOf(startAt: Date | string): Date {
  const at =
    typeof startAt === 'string' && !timeWithOffset.safeParse(startAt).success
      ? new Date(Number.NaN)
      : new Date(startAt);
  if (Number.isNaN(at.getTime())) throw invalid('startAt', 'must be a time as of RFC 3339, with its offset');
  return at;
}

function invalid(field: string, problem: string): AppError {
  return new AppError('MILLRACE_MESSAGE_INVALID', `${field} ${problem}`, { faults: [{ field, problem }] });
}
