import { type Amount, zeroUsd } from '../../kernel/money.ts';

/** What a budget says in its present window, in its unit. */
export interface BudgetFigures {
  readonly limit: Amount;
  readonly spent: Amount;
  readonly reserved: Amount;
  /** The smallest upper bound that was asked for in this window. */
  readonly leastAsked: Amount | undefined;
  /** The smallest upper bound that did not fit since messages were last released. */
  readonly leastRefused: Amount | undefined;
}

/** The fewest messages that are released at once: their upper bounds are not known before they ask. */
const leastRelease = 10;
const mostRelease = 1000;
/** How long it may be before some are let try though what last asked would not fit: others may need less. */
const probeAfterMs = 30_000;

/** What may still be reserved. */
export function roomOf({ limit, spent, reserved }: BudgetFigures): Amount {
  return limit.minus(spent).minus(reserved);
}

/**
 * Whether nothing of what was asked for in this window could be spent any more, even if all calls under way cost
 * nothing. What is merely reserved comes back, so it exhausts nothing.
 */
export function isExhausted({ limit, spent, leastAsked }: BudgetFigures): boolean {
  const left = limit.minus(spent);
  return !left.greaterThan(zeroUsd) || (leastAsked !== undefined && left.lessThan(leastAsked));
}

/** How many of the messages that wait for a budget are released. They ask again, and what does not fit waits again. */
export function releaseCount(figures: BudgetFigures, sinceLastReleaseMs: number): number {
  const room = roomOf(figures);
  if (!room.greaterThan(zeroUsd)) return 0;
  const { leastRefused } = figures;
  if (leastRefused === undefined || leastRefused.isZero()) return leastRelease;
  if (room.lessThan(leastRefused)) return sinceLastReleaseMs < probeAfterMs ? 0 : leastRelease;
  const fitting = room.dividedToIntegerBy(leastRefused);
  return fitting.greaterThan(mostRelease) ? mostRelease : Math.max(leastRelease, fitting.toNumber());
}
