import { sumUsd, type Usd, zeroUsd } from '../../../kernel/money.ts';

/*
 * What a month will have cost: what was spent, and for the time that is left what such time cost lately. A day that is still to
 * come costs the mean of its weekday in the last whole days (28 at most), or, with fewer than 14 of them, the mean of all; the rest
 * of today costs its part of that. The range is what 8 of 10 months keep to where days differ from their means by chance alone:
 * 1.28 standard deviations of those differences, times the root of the days that are left.
 */

/** A whole day of the past. */
export interface PastDay {
  readonly day: string;
  readonly costUsd: Usd;
}

export interface ForecastQuestion {
  /** The last whole days, one after another, from the first with spend. */
  readonly past: readonly PastDay[];
  /** Spent in the month so far. */
  readonly spentUsd: Usd;
  /** What is left of the month: days, each with its part that is left, above 0 to 1. */
  readonly rest: readonly { readonly day: string; readonly part: number }[];
}

/** What coming days are estimated by: the mean of their weekday, of all days, or nothing, because there is no whole day yet. */
export type ForecastMethod = 'weekday' | 'mean' | 'none';

export interface SpendForecast {
  readonly method: ForecastMethod;
  /** For the whole month. Absent without a method. */
  readonly expectedUsd?: Usd;
  /** 8 of 10 months. Absent where too few days say how much they differ. */
  readonly lowUsd?: Usd;
  readonly highUsd?: Usd;
  /** Of what is left, in its order. */
  readonly days: readonly PastDay[];
}

/** Whole days that a forecast looks at. */
export const forecastDays = 28;
const minWeekdayDays = 14;
const weekdays = 7;
/** 80 % of a normal distribution lie within so many standard deviations. */
const deviations = '1.2815515655446004';

export function forecastSpend({ past, spentUsd, rest }: ForecastQuestion): SpendForecast {
  if (past.length === 0) return { method: 'none', days: [] };
  const method = past.length < minWeekdayDays ? 'mean' : 'weekday';
  const groupOf = (day: string): number => (method === 'weekday' ? new Date(day).getUTCDay() : 0);
  const means = new Map(
    [...Map.groupBy(past, ({ day }) => groupOf(day))].map(([group, days]) => [
      group,
      sumUsd(days.map(({ costUsd }) => costUsd)).dividedBy(days.length),
    ]),
  );
  const meanOf = (day: string): Usd => means.get(groupOf(day)) ?? zeroUsd;
  const days = rest.map(({ day, part }) => ({ day, costUsd: meanOf(day).times(part) }));
  const expectedUsd = spentUsd.plus(sumUsd(days.map(({ costUsd }) => costUsd)));
  const freedom = past.length - (method === 'weekday' ? weekdays : 1);
  if (freedom < 1) return { method, expectedUsd, days };
  const squares = sumUsd(past.map(({ day, costUsd }) => costUsd.minus(meanOf(day)).pow(2)));
  const restDays = rest.reduce((sum, { part }) => sum + part, 0);
  const spread = squares.dividedBy(freedom).times(restDays).sqrt().times(deviations);
  const low = expectedUsd.minus(spread);
  return {
    method,
    expectedUsd,
    // What was spent stays spent.
    lowUsd: low.lessThan(spentUsd) ? spentUsd : low,
    highUsd: expectedUsd.plus(spread),
    days,
  };
}
