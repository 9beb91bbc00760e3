import { describe, expect, it } from 'vitest';
import {
  addDays,
  addMonths,
  dayAt,
  isoWeek,
  isTimeZone,
  localTime,
  offsetStretches,
  startOfDay,
} from './time-zone.ts';

const hourMs = 3_600_000;
const hoursOf = (zone: string, day: string): number =>
  (startOfDay(zone, addDays(day, 1)) - startOfDay(zone, day)) / hourMs;

describe('a time zone', () => {
  it.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Asia/Kolkata', 'Etc/GMT+5'])(
    'is named %s',
    (name) => expect(isTimeZone(name)).toBe(true),
  );

  it.each([
    '',
    '+02:00',
    'IST',
    'bst',
    'ACT',
    'Europe/Atlantis',
    'Berlin',
    "UTC'); DROP",
    '../etc',
    'Europe/Berlin ',
  ])('is not named %j', (name) => expect(isTimeZone(name)).toBe(false));

  it.each([
    ['Europe/Berlin', '2026-03-28', 24],
    ['Europe/Berlin', '2026-03-29', 23],
    ['Europe/Berlin', '2026-10-25', 25],
    ['Asia/Kolkata', '2026-03-29', 24],
    ['America/New_York', '2026-03-08', 23],
    ['Australia/Lord_Howe', '2026-04-05', 24.5],
    // Clocks go forward at midnight there: the day begins at one.
    ['Africa/Cairo', '2026-04-24', 23],
    ['UTC', '2026-03-29', 24],
  ])('in %s the day %s has %d hours', (zone, day, hours) => {
    expect(hoursOf(zone, day)).toBe(hours);
    expect(dayAt(zone, startOfDay(zone, day))).toBe(day);
    expect(dayAt(zone, startOfDay(zone, day) - 1)).toBe(addDays(day, -1));
  });

  it('tells where offsets change', () => {
    const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)];
    expect(offsetStretches('Europe/Berlin', from, to)).toEqual([
      { fromMs: from, offsetMs: hourMs },
      { fromMs: Date.UTC(2026, 2, 29, 1), offsetMs: 2 * hourMs },
      { fromMs: Date.UTC(2026, 9, 25, 1), offsetMs: hourMs },
    ]);
    expect(offsetStretches('Asia/Kolkata', from, to)).toEqual([{ fromMs: from, offsetMs: 5.5 * hourMs }]);
  });

  it('shows both hours of the night in which clocks are set back', () => {
    const at = Date.UTC(2026, 9, 25);
    expect([at, at + hourMs].map((ms) => localTime('Europe/Berlin', ms))).toEqual([
      '2026-10-25T02:00:00+02:00',
      '2026-10-25T02:00:00+01:00',
    ]);
    expect(localTime('UTC', at)).toBe('2026-10-25T00:00:00Z');
    expect(localTime('America/St_Johns', at)).toBe('2026-10-24T21:30:00-02:30');
  });

  it.each([
    ['2025-12-28', '2025-W52'],
    ['2025-12-29', '2026-W01'],
    ['2026-01-04', '2026-W01'],
    ['2026-12-31', '2026-W53'],
    ['2027-01-03', '2026-W53'],
    ['2027-01-04', '2027-W01'],
  ])('%s lies in the week %s', (day, week) => expect(isoWeek(day)).toBe(week));

  it('counts months over the end of a year', () => {
    expect(addMonths('2026-11-30', 2)).toBe('2027-01-01');
    expect(addMonths('2026-01-31', -1)).toBe('2025-12-01');
  });
});
