import { describe, expect, it } from 'vitest';
import { localTime } from '../../../kernel/time-zone.ts';
import { cronAfter, cronProblem } from './cron-times.ts';

/** So many times after a moment, as clocks there show them. */
function timesOf(cron: string, zone: string, from: string, count: number): readonly string[] {
  const times: string[] = [];
  for (let ms = cronAfter(cron, zone, Date.parse(from)); ms !== undefined && times.length < count;) {
    times.push(localTime(zone, ms));
    ms = cronAfter(cron, zone, ms);
  }
  return times;
}

describe('a cron expression', () => {
  it('has five fields, or six with seconds', () => {
    expect(timesOf('30 9 * * 1-5', 'UTC', '2026-03-06T10:00:00Z', 2)).toEqual([
      '2026-03-09T09:30:00Z',
      '2026-03-10T09:30:00Z',
    ]);
    expect(timesOf('*/20 0 9 * * *', 'UTC', '2026-03-06T09:00:10Z', 3)).toEqual([
      '2026-03-06T09:00:20Z',
      '2026-03-06T09:00:40Z',
      '2026-03-07T09:00:00Z',
    ]);
  });

  it.each([
    [
      'Europe/Berlin',
      '2026-03-28T00:00:00Z',
      ['28T02:30:00+01:00', '29T03:00:00+02:00', '30T02:30:00+02:00'],
      '2026-03-',
    ],
    [
      'America/New_York',
      '2026-03-07T05:00:00Z',
      ['07T02:30:00-05:00', '08T03:00:00-04:00', '09T02:30:00-04:00'],
      '2026-03-',
    ],
  ])('makes a time of day up where %s skips it', (zone, from, expected, month) => {
    expect(timesOf('30 2 * * *', zone, from, 3)).toEqual(expected.map((text) => `${month}${text}`));
  });

  it.each([
    [
      'Europe/Berlin',
      '2026-10-24T12:00:00Z',
      '30 2 * * *',
      ['2026-10-25T02:30:00+02:00', '2026-10-26T02:30:00+01:00'],
    ],
    [
      'America/New_York',
      '2026-10-31T12:00:00Z',
      '30 1 * * *',
      ['2026-11-01T01:30:00-04:00', '2026-11-02T01:30:00-05:00'],
    ],
    [
      'Australia/Lord_Howe',
      '2026-04-04T12:00:00Z',
      '45 1 * * *',
      ['2026-04-05T01:45:00+11:00', '2026-04-06T01:45:00+10:30'],
    ],
  ])('has a time of day once where %s repeats it', (zone, from, cron, expected) => {
    expect(timesOf(cron, zone, from, 2)).toEqual(expected);
  });

  it('has a list of times of day as it has one', () => {
    expect(timesOf('30 2,14 * * *', 'Europe/Berlin', '2026-03-28T14:00:00Z', 3)).toEqual([
      '2026-03-29T03:00:00+02:00',
      '2026-03-29T14:30:00+02:00',
      '2026-03-30T02:30:00+02:00',
    ]);
  });

  it('goes on in even steps through a repeated hour, and has nothing in a skipped one', () => {
    expect(timesOf('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z', 4)).toEqual([
      '2026-10-25T02:30:00+02:00',
      '2026-10-25T02:00:00+01:00',
      '2026-10-25T02:30:00+01:00',
      '2026-10-25T03:00:00+01:00',
    ]);
    expect(timesOf('0 * * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 2)).toEqual([
      '2026-03-29T03:00:00+02:00',
      '2026-03-29T04:00:00+02:00',
    ]);
  });

  it('knows zones that change their clocks by half an hour, and that are half an hour off', () => {
    // From 02:00 clocks go on to 02:30.
    expect(timesOf('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00:00Z', 2)).toEqual([
      '2026-10-04T02:30:00+11:00',
      '2026-10-05T02:15:00+11:00',
    ]);
    expect(timesOf('0 9 * * *', 'Asia/Kolkata', '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T09:00:00+05:30',
      '2026-03-30T09:00:00+05:30',
    ]);
  });

  it('has a leap day every four years, and a day that never comes not at all', () => {
    expect(timesOf('0 12 29 2 *', 'UTC', '2026-03-01T00:00:00Z', 2)).toEqual([
      '2028-02-29T12:00:00Z',
      '2032-02-29T12:00:00Z',
    ]);
    expect(cronAfter('0 0 30 2 *', 'UTC', Date.parse('2026-01-01T00:00:00Z'))).toBeUndefined();
    expect(
      cronAfter('0 0 31 4,6,9,11 *', 'Europe/Berlin', Date.parse('2026-01-01T00:00:00Z')),
    ).toBeUndefined();
  });

  it.each([
    '',
    '* * * *',
    '* * * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '? * * * *',
    '@daily',
    '@reboot',
    'a b c d e',
    '* * * * 8',
    '*/0 * * * *',
    '5-1 * * * *',
    `${'1,'.repeat(200)}1 * * * *`,
    '2026-03-01T00:00:00Z',
    '* * * *\n*',
  ])('is refused as %j', (cron) => {
    expect(cronProblem(cron)).toBeTypeOf('string');
  });

  it.each([
    '*/5 * * * *',
    '0 0 L * *',
    '0 0 LW * *',
    '0 9 * * MON#1',
    '0 0 1 JAN,JUL *',
    '0 0 13 * +FRI',
    '*/10 * * * * *',
  ])('is taken as %j', (cron) => {
    expect(cronProblem(cron)).toBeUndefined();
  });
});
