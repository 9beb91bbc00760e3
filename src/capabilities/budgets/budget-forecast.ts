import { type Amount, roundedTo } from '../../kernel/money.ts';
import { isRolling } from './budget-window.ts';
import type { BudgetState } from './budget-state.ts';

/** What the window will have used, if it goes on as until now. */
export interface BudgetForecast {
  readonly spent: Amount;
  /** When the limit is reached; undefined where the window ends before. */
  readonly exhaustedAt: Date | undefined;
}

/** Less of a window says nothing. */
const leastElapsedShare = 0.02;
const digits = 6;

/**
 * What is spent and reserved, and for what is left of the window the mean of what is over: a straight line, which everyone can check.
 * Undefined for rolling windows, which have no end, and at the beginning of a window.
 */
export function forecastOf(state: BudgetState): BudgetForecast | undefined {
  const { window, windowStart, windowEndsAt, endsInMs, spent, reserved, limit } = state;
  const lengthMs = windowEndsAt.getTime() - windowStart.getTime();
  const elapsedMs = lengthMs - endsInMs;
  if (isRolling(window) || elapsedMs < lengthMs * leastElapsedShare) return undefined;
  const used = spent.plus(reserved);
  const atEnd = used.plus(spent.times(endsInMs).dividedBy(elapsedMs));
  const left = limit.minus(used);
  const isReached = atEnd.greaterThanOrEqualTo(limit) && spent.greaterThan(0);
  const untilMs = left.greaterThan(0) ? left.times(elapsedMs).dividedBy(spent).ceil().toNumber() : 0;
  const nowMs = windowEndsAt.getTime() - endsInMs;
  return {
    spent: roundedTo(atEnd, digits),
    exhaustedAt: isReached ? new Date(nowMs + untilMs) : undefined,
  };
}
