import { maxUsd, sumUsd, type Usd, usd, zeroUsd } from '../../../kernel/money.ts';

/*
 * Whether the spend of an hour is unusual: against the median of the same hour of the week in earlier weeks, in units of the median
 * absolute deviation. Both are robust: one outage or one batch in the past moves neither. Where the past hardly differs, a tenth of the
 * median stands for the deviation, and differences below the floor are never told: cents are not unusual.
 */

/** Weeks that a baseline looks at, and fewer than which give none. */
export const baselineWeeks = 8;
export const minimumWeeks = 4;
/** The deviation of a normal distribution by its median absolute deviation. */
const deviationByMad = '1.4826';
const leastSpread = '0.1';

export interface JudgedHour {
  /** Whether more or less than usual was spent. */
  readonly direction: 'high' | 'low';
  readonly medianUsd: Usd;
  /** What counts as one deviation. */
  readonly spreadUsd: Usd;
  /** How many deviations the hour is off. */
  readonly score: Usd;
}

export interface HourOfName {
  readonly spentUsd: Usd;
  /** The same hour of the week in so many earlier weeks; an hour without spend is 0. */
  readonly pastUsd: readonly Usd[];
}

export interface AnomalyRule {
  /** Deviations from which an hour is unusual. */
  readonly threshold: number;
  readonly floorUsd: Usd;
}

/** Judges an hour; undefined where it is usual, or too few weeks say what is. */
export function judgeHour(
  { spentUsd, pastUsd }: HourOfName,
  { threshold, floorUsd }: AnomalyRule,
): JudgedHour | undefined {
  if (pastUsd.length < minimumWeeks) return undefined;
  const medianUsd = median(pastUsd);
  const difference = spentUsd.minus(medianUsd);
  if (difference.abs().lessThan(floorUsd) || difference.isZero()) return undefined;
  const deviation = median(pastUsd.map((amount) => amount.minus(medianUsd).abs())).times(deviationByMad);
  const spreadUsd = maxUsd(deviation, medianUsd.abs().times(leastSpread));
  // Nothing at all is usual: whatever reaches the floor is unusual, and the floor is the measure.
  const measure = spreadUsd.isZero() ? floorUsd : spreadUsd;
  const score = measure.isZero() ? usd(String(threshold)) : difference.abs().dividedBy(measure);
  if (!spreadUsd.isZero() && score.lessThan(threshold)) return undefined;
  return { direction: difference.isNegative() ? 'low' : 'high', medianUsd, spreadUsd, score };
}

/** The middle of some amounts, or the mean of the two in the middle; 0 of none. */
export function median(amounts: readonly Usd[]): Usd {
  const sorted = amounts.toSorted((left, right) => left.comparedTo(right));
  const middle = sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1);
  return middle.length === 0 ? zeroUsd : sumUsd(middle).dividedBy(middle.length);
}
