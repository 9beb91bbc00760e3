import { createHash } from 'node:crypto';
import { parseDurationMs } from '../../kernel/duration.ts';
import type { Fault } from '../../kernel/fault.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { ScheduleDefinition } from './schedule-definition.ts';
import { timeAfter, timesAfter, type Timing } from './timing/timing.ts';

/** The times of a schedule; its even steps begin at `fromAt`. */
export function timingOf(definition: ScheduleDefinition, fromAt: Date): Timing {
  const { cron, every, timeZone, startAt, endAt } = definition;
  return {
    trigger:
      cron === undefined
        ? { kind: 'every', everyMs: parseDurationMs(every) ?? 1, fromMs: fromAt.getTime() }
        : { kind: 'cron', cron, timeZone },
    startMs: startAt === undefined ? undefined : Date.parse(startAt),
    endMs: endAt === undefined ? undefined : Date.parse(endAt),
  };
}

/** How much later than its times a schedule runs: its part of the jitter, the same in every process. */
export function offsetMsOf(id: Uuid, { jitter }: Pick<ScheduleDefinition, 'jitter'>): number {
  const jitterMs = jitter === undefined ? 0 : (parseDurationMs(jitter) ?? 0);
  if (jitterMs === 0) return 0;
  return createHash('sha256').update(id).digest().readUInt32BE(0) % (jitterMs + 1);
}

/** Whether two definitions have the same times. */
export function hasSameTimes(left: ScheduleDefinition, right: ScheduleDefinition): boolean {
  const times = ({ cron, every, timeZone, startAt, endAt, jitter }: ScheduleDefinition): string =>
    JSON.stringify([cron, every, timeZone, startAt, endAt, jitter]);
  return times(left) === times(right);
}

/** More than there are in a minute by seconds, so that every distance between two is among them. */
const timesLookedAt = 70;

/** What is wrong with the times of a schedule that is made at `now`; undefined when nothing is. */
export function timesProblem(
  definition: ScheduleDefinition,
  fromAt: Date,
  now: Date,
  shortestMs: number,
): Fault | undefined {
  const field = definition.cron === undefined ? 'every' : 'cron';
  const timing = timingOf(definition, fromAt);
  if (timeAfter(timing, now.getTime()) === undefined)
    return { field, problem: 'has no time that is still to come' };
  const times = timesAfter({ ...timing, endMs: undefined }, now.getTime(), timesLookedAt);
  const isTooOften = times.some((time, index) => index > 0 && time - (times[index - 1] ?? 0) < shortestMs);
  if (isTooOften) return { field, problem: `has times less than ${shortestMs / 1000} s apart` };
  return undefined;
}
