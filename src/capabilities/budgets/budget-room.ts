import { type Usd, zeroUsd } from '../../kernel/money.ts';

/** What a budget says in its present window. */
export interface BudgetFigures {
  readonly limitUsd: Usd;
  readonly spentUsd: Usd;
  readonly reservedUsd: Usd;
  /** The smallest upper bound that was asked for in this window. */
  readonly leastUsd: Usd | undefined;
  /** The smallest upper bound that did not fit since messages were last released. */
  readonly refusedUsd: Usd | undefined;
}

/** The fewest messages that are released at once: their upper bounds are not known before they ask. */
const leastRelease = 10;
const mostRelease = 1000;
/** How long it may be before some are let try though what last asked would not fit: others may need less. */
const probeAfterMs = 30_000;

/** What may still be reserved. */
export function roomOf({ limitUsd, spentUsd, reservedUsd }: BudgetFigures): Usd {
  return limitUsd.minus(spentUsd).minus(reservedUsd);
}

/**
 * Whether nothing of what was asked for in this window could be spent any more, even if all calls under way cost
 * nothing. What is merely reserved comes back, so it exhausts nothing.
 */
export function isExhausted({ limitUsd, spentUsd, leastUsd }: BudgetFigures): boolean {
  const left = limitUsd.minus(spentUsd);
  return !left.greaterThan(zeroUsd) || (leastUsd !== undefined && left.lessThan(leastUsd));
}

/** How many of the messages that wait for a budget are released. They ask again, and what does not fit waits again. */
export function releaseCount(figures: BudgetFigures, sinceLastReleaseMs: number): number {
  const room = roomOf(figures);
  if (!room.greaterThan(zeroUsd)) return 0;
  const { refusedUsd } = figures;
  if (refusedUsd === undefined || refusedUsd.isZero()) return leastRelease;
  if (room.lessThan(refusedUsd)) return sinceLastReleaseMs < probeAfterMs ? 0 : leastRelease;
  const fitting = room.dividedToIntegerBy(refusedUsd);
  return fitting.greaterThan(mostRelease) ? mostRelease : Math.max(leastRelease, fitting.toNumber());
}
