import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usd } from '../../../kernel/money.ts';
import { hoursOfWeeks } from './hours-of-weeks.ts';
import { judgeHour, median } from './spend-anomaly.ts';

const rule = { threshold: 5, floorUsd: usd('1') };
const amounts = (...texts: readonly string[]) => texts.map((text) => usd(text));
const usual = amounts('10', '11', '9', '10', '10', '12', '10', '10');

describe('an hour of spend', () => {
  it('is unusual where it is many deviations off the median, to either side', () => {
    expect(judgeHour({ spentUsd: usd('16'), pastUsd: usual }, rule)).toMatchObject({ direction: 'high' });
    expect(judgeHour({ spentUsd: usd('0'), pastUsd: usual }, rule)).toMatchObject({ direction: 'low' });
    // The deviations' median is 0: a tenth of the median stands for it, 1 dollar.
    expect(judgeHour({ spentUsd: usd('14.9'), pastUsd: usual }, rule)).toBeUndefined();
  });

  it('is measured against a baseline that one odd week does not move', () => {
    const odd = amounts('10', '11', '9', '10', '5000', '12', '10', '10');
    const judged = judgeHour({ spentUsd: usd('60'), pastUsd: odd }, rule);
    expect(judged?.medianUsd.toFixed()).toBe('10');
    expect(judged?.score.toFixed()).toBe('50');
  });

  it('is not judged by less than four weeks, or for less than the floor', () => {
    expect(judgeHour({ spentUsd: usd('900'), pastUsd: amounts('1', '1', '1') }, rule)).toBeUndefined();
    expect(judgeHour({ spentUsd: usd('0.9'), pastUsd: amounts('0', '0', '0', '0') }, rule)).toBeUndefined();
    expect(judgeHour({ spentUsd: usd('1'), pastUsd: amounts('0', '0', '0', '0') }, rule)).toMatchObject({
      direction: 'high',
    });
  });

  it('is never unusual where it is the median, and the more unusual the farther off', () => {
    const dollars = fc.integer({ min: 0, max: 1000 }).map((count) => usd(String(count)));
    fc.assert(
      fc.property(
        fc.array(dollars, { minLength: 4, maxLength: 8 }),
        dollars,
        dollars,
        (pastUsd, near, further) => {
          const middle = median(pastUsd);
          const scoreOf = (spentUsd: typeof near) =>
            judgeHour({ spentUsd, pastUsd }, rule)?.score ?? usd('0');
          expect(scoreOf(middle).toFixed()).toBe('0');
          expect(scoreOf(middle.plus(near).plus(further)).gte(scoreOf(middle.plus(near)))).toBe(true);
        },
      ),
    );
  });
});

describe('the hours that are compared', () => {
  const isoOf = (hours: ReturnType<typeof hoursOfWeeks>, slot: number): string[] =>
    hours.filter((hour) => hour.slot === slot).map(({ startMs }) => new Date(startMs).toISOString());

  it('are the same hour of the same weekday, as clocks of the zone show it', () => {
    // Clocks in Berlin were set forward on 29 March 2026.
    const from = Date.UTC(2026, 2, 31, 7);
    const berlin = isoOf(hoursOfWeeks(from, from + 3_600_000, 'Europe/Berlin'), 0);
    expect(berlin.slice(0, 3)).toEqual([
      '2026-03-31T07:00:00.000Z',
      '2026-03-24T08:00:00.000Z',
      '2026-03-17T08:00:00.000Z',
    ]);
    expect(isoOf(hoursOfWeeks(from, from + 3_600_000, 'UTC'), 0)[1]).toBe('2026-03-24T07:00:00.000Z');
  });

  it('are in no two comparisons, whatever the zone and the week', () => {
    for (const zone of ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/St_Johns']) {
      for (const month of [2, 3, 9, 10]) {
        const from = Date.UTC(2026, month, 25);
        const hours = hoursOfWeeks(from, from + 7 * 86_400_000, zone);
        expect(new Set(hours.map(({ startMs }) => startMs)).size).toBe(hours.length);
        expect(hours.length).toBeGreaterThan(168 * 9 - 10);
      }
    }
  });
});
