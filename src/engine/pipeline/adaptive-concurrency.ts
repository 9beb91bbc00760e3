/*
 * How many messages of a stage a process works on at once: up by one while every slot is used and nothing holds the work
 * up, down by half when messages had to be put aside or the process cannot keep up. One more slot would only be one more
 * message that waits for a limit, so waits keep the number as it is.
 */

export interface ConcurrencyBounds {
  readonly min: number;
  readonly max: number;
}

/** What was seen since the last decision. */
export interface StageLoad {
  /** The most messages that were worked on at the same time. */
  readonly peak: number;
  /** Messages put aside because a limit, a circuit or a retry budget held them up. */
  readonly parked: number;
  /** Requests that waited for their limit while holding a slot. */
  readonly waited: number;
  /** By how much the event loop ran late. */
  readonly lagMs: number;
}

/** Above this an additional message makes all of them slower. */
const maxLagMs = 200;

/** The number from now on, within the bounds. */
export function adaptedConcurrency(
  current: number,
  { min, max }: ConcurrencyBounds,
  { peak, parked, waited, lagMs }: StageLoad,
): number {
  const within = (wanted: number): number => Math.min(max, Math.max(min, wanted));
  if (parked > 0 || lagMs > maxLagMs) return within(Math.floor(current / 2));
  return within(peak >= current && waited === 0 ? current + 1 : current);
}
