import { lastTimes, timeAfter, type Timing } from './timing.ts';

/** What becomes of times that nobody was there for: none of them runs, one, or all up to a bound, the latest. */
export const missedPolicies = ['skip', 'once', 'all'] as const;
export type MissedPolicy = (typeof missedPolicies)[number];

export interface PlanRules {
  readonly missed: MissedPolicy;
  /** The most runs that are made up for by `all`. */
  readonly maxCatchUp: number;
}

/** Times that did not run. */
export interface MissedTimes {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
  /** There are more, which were not counted. */
  readonly isAtLeast: boolean;
}

export interface RunPlan {
  /** The times that run now, the earliest first. */
  readonly runs: readonly number[];
  readonly missed: MissedTimes | undefined;
  /** The first time that is still to come; undefined when there is none. */
  readonly nextMs: number | undefined;
}

/** A run that begins no later than this after its time is not a missed one. */
export const graceMs = 60_000;
/** How many times are looked at that have passed. */
const maxLookedAt = 1000;

/**
 * What is to be done at `nowMs` with the times from `nextMs` on, of which the first is due. The same question has the same answer; the answers
 * of questions one after another, each from where the one before ended, never name a time twice and leave none out.
 */
export function planRuns(timing: Timing, rules: PlanRules, nextMs: number, nowMs: number): RunPlan {
  const passed = passedTimes(timing, nextMs, nowMs);
  const late = passed.filter((time) => time < nowMs - graceMs);
  const runs = runsOf(rules, passed, late);
  const [firstRun = Infinity] = runs;
  const left = passed.filter((time) => time < firstRun);
  // Where more has passed than was looked at, the first is the one that was due.
  const isAtLeast = passed.length === maxLookedAt && passed[0] !== undefined && passed[0] > nextMs;
  const last = left.at(-1);
  const missed =
    last === undefined
      ? undefined
      : { firstMs: isAtLeast ? nextMs : (left[0] ?? last), lastMs: last, count: left.length, isAtLeast };
  return { runs, missed, nextMs: timeAfter(timing, nowMs) };
}

/** The times that have passed, the last of them where they are very many. Usually it is one: so they are looked for forwards first. */
function passedTimes(timing: Timing, nextMs: number, nowMs: number): readonly number[] {
  const times: number[] = [];
  for (
    let time: number | undefined = nextMs;
    time !== undefined && time <= nowMs;
    time = timeAfter(timing, time)
  ) {
    if (times.length === maxLookedAt) return lastTimes(timing, nextMs, nowMs, maxLookedAt);
    times.push(time);
  }
  return times;
}

/** Always the last of those that have passed, or none. */
function runsOf(
  { missed, maxCatchUp }: PlanRules,
  passed: readonly number[],
  late: readonly number[],
): readonly number[] {
  if (late.length === 0) return passed;
  switch (missed) {
    case 'skip':
      return passed.slice(late.length);
    case 'once':
      return passed.slice(-1);
    case 'all':
      return passed.slice(-Math.max(1, maxCatchUp));
  }
}
