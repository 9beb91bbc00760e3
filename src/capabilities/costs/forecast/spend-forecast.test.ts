import { describe, expect, it } from 'vitest';
import { addDays } from '../../../kernel/time-zone.ts';
import { usd } from '../../../kernel/money.ts';
import { forecastSpend, type PastDay } from './spend-forecast.ts';

/** Whole days up to a Sunday. */
const pastDays = (count: number, costOf: (weekday: number, index: number) => string): PastDay[] =>
  Array.from({ length: count }, (_, index) => {
    const day = addDays('2026-03-15', index + 1 - count);
    return { day, costUsd: usd(costOf(new Date(day).getUTCDay(), index)) };
  });
const workdays = (weekday: number): string => (weekday === 0 || weekday === 6 ? '1' : '10');
const textOf = (forecast: ReturnType<typeof forecastSpend>) => ({
  method: forecast.method,
  expected: forecast.expectedUsd?.toFixed(6),
  low: forecast.lowUsd?.toFixed(6),
  high: forecast.highUsd?.toFixed(6),
});

describe('a forecast of spend', () => {
  it('tells coming days by their weekdays', () => {
    const forecast = forecastSpend({
      past: pastDays(28, workdays),
      spentUsd: usd('52.5'),
      // Half of a Monday, then to Sunday.
      rest: ['16', '17', '18', '19', '20', '21', '22'].map((day, index) => ({
        day: `2026-03-${day}`,
        part: index === 0 ? 0.5 : 1,
      })),
    });
    expect(forecast.days.map(({ costUsd }) => costUsd.toFixed())).toEqual([
      '5',
      '10',
      '10',
      '10',
      '10',
      '1',
      '1',
    ]);
    expect(textOf(forecast)).toEqual({
      method: 'weekday',
      expected: '99.500000',
      low: '99.500000',
      high: '99.500000',
    });
  });

  it('is the wider, the more days differ and the more of them are left', () => {
    const past = pastDays(28, (_, index) => (Math.floor(index / 7) % 2 === 0 ? '9' : '11'));
    const widthOf = (count: number): number => {
      const rest = Array.from({ length: count }, (_, index) => ({
        day: addDays('2026-03-16', index),
        part: 1,
      }));
      const { lowUsd, highUsd } = forecastSpend({ past, spentUsd: usd('5'), rest });
      return Number(highUsd) - Number(lowUsd);
    };
    // 28 differences of 1 over 21 degrees of freedom.
    expect(widthOf(1)).toBeCloseTo(2 * 1.28155 * Math.sqrt(28 / 21), 4);
    expect(widthOf(4)).toBeCloseTo(2 * widthOf(1), 6);
    expect(widthOf(0)).toBe(0);
  });

  it('takes the mean of all days where there are few, and never less than what was spent', () => {
    const rest = [{ day: '2026-03-16', part: 1 }];
    expect(
      textOf(
        forecastSpend({
          past: pastDays(2, (_, index) => (index === 0 ? '0' : '100')),
          spentUsd: usd('7'),
          rest,
        }),
      ),
    ).toMatchObject({
      method: 'mean',
      expected: '57.000000',
      low: '7.000000',
    });
    expect(textOf(forecastSpend({ past: pastDays(1, () => '3'), spentUsd: usd('1'), rest }))).toEqual({
      method: 'mean',
      expected: '4.000000',
      low: undefined,
      high: undefined,
    });
    expect(forecastSpend({ past: [], spentUsd: usd('1'), rest })).toEqual({ method: 'none', days: [] });
  });
});
