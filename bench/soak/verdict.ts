import type { StoreSizes } from '../stage/millrace-subject.ts';
import type { ProcessMemory } from './process-memory.ts';

/** Milliseconds. */
export interface LagFigures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What one period of a soak was like in the process that worked. Bytes. */
export interface Period {
  readonly handledPerSecond: number;
  /** Each the median of a reading a second. */
  readonly memory: ProcessMemory;
  readonly rssMost: number;
  /** JavaScript objects that were left after a full collection at the end. */
  readonly reachable: number;
  /** How large the stores were at the end. */
  readonly stores: StoreSizes;
  readonly lagMs: LagFigures;
  /** Stages that were fed and not begun, at the end. */
  readonly backlog: number;
}

/** What a soak must keep to. */
export interface Limits {
  /** The later ones are compared with the highest of so many first periods. */
  readonly flatAfter: number;
  /** How much above that the median RSS of a later one may be: 0.1 is a tenth. */
  readonly growth: number;
  /** Absent: the lag is shown and not judged. */
  readonly lagP99Ms?: number;
  /** The rate that is held. */
  readonly targetPerSecond: number;
}

/** A backlog of as many seconds of the load says that the rate is not held. */
const backlogSeconds = 10;

/** What a soak did not keep to, a line each; none when it passes. */
export function findFailures(periods: readonly Period[], limits: Limits): readonly string[] {
  const { flatAfter, growth, lagP99Ms, targetPerSecond } = limits;
  const failures: string[] = [];
  const reference = Math.max(...periods.slice(0, flatAfter).map(({ memory }) => memory.rss));
  periods.forEach((period, index) => {
    const name = `period ${index + 1}`;
    if (index >= flatAfter && period.memory.rss > reference * (1 + growth)) {
      const ratio = (period.memory.rss / reference - 1) * 100;
      failures.push(
        `${name}: RSS is ${ratio.toFixed(1)} % above the first ${flatAfter} periods (at most ${growth * 100} %)`,
      );
    }
    if (lagP99Ms !== undefined && !(period.lagMs.p99 < lagP99Ms)) {
      failures.push(`${name}: lag p99 is ${period.lagMs.p99.toFixed(1)} ms (less than ${lagP99Ms} ms)`);
    }
    if (period.backlog > targetPerSecond * backlogSeconds) {
      failures.push(
        `${name}: ${period.backlog} stages wait, more than ${backlogSeconds} s of the load: the rate is not held`,
      );
    }
  });
  return failures;
}
