import { describe, expect, it } from 'vitest';
import { previousPeriod } from './previous-period.ts';

describe('the previous period', () => {
  it.each([
    ['UTC', '2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z', '2026-02-01T00:00:00.000Z', 'months'],
    ['Europe/Berlin', '2026-03-31T22:00:00Z', '2026-04-30T22:00:00Z', '2026-02-28T23:00:00.000Z', 'months'],
    ['UTC', '2026-01-01T00:00:00Z', '2026-04-01T00:00:00Z', '2025-10-01T00:00:00.000Z', 'months'],
    // Two days, the second of 23 hours.
    ['Europe/Berlin', '2026-03-27T23:00:00Z', '2026-03-29T22:00:00Z', '2026-03-25T23:00:00.000Z', 'days'],
    // The day of 23 hours itself lies before.
    ['Europe/Berlin', '2026-03-29T22:00:00Z', '2026-03-30T22:00:00Z', '2026-03-28T23:00:00.000Z', 'days'],
    ['UTC', '2026-03-01T00:00:00Z', '2026-03-01T06:30:00Z', '2026-02-28T17:30:00.000Z', 'time'],
  ])('in %s of %s to %s begins at %s, by %s', (zone, from, to, previous, unit) => {
    expect(previousPeriod({ from: new Date(from), to: new Date(to) }, zone)).toEqual({
      from: new Date(previous),
      to: new Date(from),
      unit,
    });
  });
});
