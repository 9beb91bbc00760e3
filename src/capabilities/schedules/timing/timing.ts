import { cronAfter, cronBefore } from './cron-times.ts';

/** When a schedule has its times: by a calendar, or in even steps from a moment. */
export type Trigger =
  | { readonly kind: 'cron'; readonly cron: string; readonly timeZone: string }
  | { readonly kind: 'every'; readonly everyMs: number; readonly fromMs: number };

/** A trigger with the first and the last moment at which it may have a time, both included. */
export interface Timing {
  readonly trigger: Trigger;
  readonly startMs?: number | undefined;
  readonly endMs?: number | undefined;
}

/** The first time after a moment, in milliseconds since 1970; undefined when there is none any more. */
export function timeAfter(
  { trigger, startMs = -Infinity, endMs = Infinity }: Timing,
  ms: number,
): number | undefined {
  // A time of a cron expression is a whole second, so that one at the start itself is after this.
  const after = Math.max(ms, startMs - 1);
  const next = triggerAfter(trigger, after);
  return next === undefined || next > endMs ? undefined : next;
}

/** The first `count` times after a moment. */
export function timesAfter(timing: Timing, ms: number, count: number): readonly number[] {
  const times: number[] = [];
  for (let next = timeAfter(timing, ms); next !== undefined && times.length < count;) {
    times.push(next);
    next = timeAfter(timing, next);
  }
  return times;
}

/** The times from one moment to another, both included, the earliest first: the last `count` of them. */
export function lastTimes(timing: Timing, fromMs: number, toMs: number, count: number): readonly number[] {
  const { trigger, startMs = -Infinity, endMs = Infinity } = timing;
  const from = Math.max(fromMs, startMs);
  const to = Math.min(toMs, endMs);
  if (from > to) return [];
  return triggerBefore(trigger, to, count).filter((time) => time >= from && time <= to);
}

function triggerAfter(trigger: Trigger, ms: number): number | undefined {
  if (trigger.kind === 'cron') return cronAfter(trigger.cron, trigger.timeZone, ms);
  const { everyMs, fromMs } = trigger;
  return ms < fromMs ? fromMs : fromMs + (Math.floor((ms - fromMs) / everyMs) + 1) * everyMs;
}

/** The last times up to a moment, that one included. */
function triggerBefore(trigger: Trigger, ms: number, count: number): readonly number[] {
  // Those before the next whole second.
  if (trigger.kind === 'cron')
    return cronBefore(trigger.cron, trigger.timeZone, Math.floor(ms / 1000) * 1000 + 1000, count);
  const { everyMs, fromMs } = trigger;
  const last = Math.floor((ms - fromMs) / everyMs);
  const first = Math.max(0, last - count + 1);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => fromMs + (first + n) * everyMs);
}
