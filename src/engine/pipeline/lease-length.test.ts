import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeaseLength } from './lease-length.ts';

describe('LeaseLength', () => {
  it('begins at 15 seconds and stays there for a fast stage', () => {
    const length = new LeaseLength();
    for (let run = 0; run < 1000; run += 1) length.record(20);
    expect(length.leaseMs).toBe(15_000);
  });

  it('grows to three times the p99 of a slow stage, and shrinks when it gets faster', () => {
    const length = new LeaseLength();
    for (let run = 0; run < 512; run += 1) length.record(run % 50 === 0 ? 60_000 : 1000);
    expect(length.leaseMs).toBe(180_000);
    for (let run = 0; run < 512; run += 1) length.record(1000);
    expect(length.leaseMs).toBe(15_000);
  });

  it('never leaves its bounds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 64, maxLength: 200 }),
        (durations) => {
          const length = new LeaseLength();
          for (const duration of durations) length.record(duration);
          return length.leaseMs >= 15_000 && length.leaseMs <= 600_000;
        },
      ),
    );
  });
});
