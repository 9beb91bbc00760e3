import { describe, expect, it } from 'vitest';
import { drainSeconds } from './stage-backlog.ts';

describe('the time that a backlog takes to drain', () => {
  it('is the backlog over the rate at which messages end', () => {
    expect(drainSeconds({ ready: 600, endsPerSecond: 4, oldestSeconds: 7 })).toBe(150);
  });

  it('is the age of the oldest while nothing ends', () => {
    expect(drainSeconds({ ready: 600, endsPerSecond: 0, oldestSeconds: 90 })).toBe(90);
  });

  it('is nought without a backlog, however slow the stage is', () => {
    expect(drainSeconds({ ready: 0, endsPerSecond: 0, oldestSeconds: 90 })).toBe(0);
  });
});
