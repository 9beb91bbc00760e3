/*
 * Weighted fair queueing between the lanes of a stage, by virtual time. A lane's time moves on by 1 / weight with every
 * message taken from it; the i-th candidate of a lane stands at time + i / weight, and the earliest are taken. So lanes
 * that have work share in proportion to their weights, and one that is alone gets everything. A lane without work saves
 * nothing up: its time is brought up to the earliest of those that wait.
 */

/** The share of each lane in a stage's capacity, while it has work. */
export type LaneWeights = Readonly<Record<string, number>>;

/** interactive : bulk = 4 : 1 */
export const defaultLaneWeights: LaneWeights = { interactive: 4, standard: 2, bulk: 1, short: 2 };

/** The virtual time of each lane of a stage, in one process. */
export type LaneTimes = Readonly<Record<string, number>>;

/** What a claim found in a lane. */
export interface LaneTaken {
  readonly taken: number;
  /** Whether the lane had more, as far as the claim looked. */
  readonly hasMore: boolean;
}

/** All lanes begin alike. */
export function initialTimes(weights: LaneWeights): LaneTimes {
  return Object.fromEntries(Object.keys(weights).map((lane) => [lane, 0]));
}

/** The times after a claim. They begin at 0 again with the earliest, so that they never grow beyond precision. */
export function timesAfterClaim(
  times: LaneTimes,
  weights: LaneWeights,
  found: Readonly<Record<string, LaneTaken>>,
): LaneTimes {
  const moved = Object.entries(weights).map(([lane, weight]) => ({
    lane,
    time: (times[lane] ?? 0) + (found[lane]?.taken ?? 0) / weight,
    waits: found[lane]?.hasMore ?? false,
  }));
  const waiting = moved.filter((lane) => lane.waits).map((lane) => lane.time);
  // Nobody waits: nobody is owed anything, and nobody owes.
  const present = waiting.length > 0 ? Math.min(...waiting) : Math.max(...moved.map((lane) => lane.time));
  return Object.fromEntries(moved.map(({ lane, time }) => [lane, Math.max(time, present) - present]));
}
