import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { ReferenceClock } from './reference-clock.ts';

const start = new Date('2026-03-01T12:00:00Z');

/** A machine whose wall clock can be set, and a reference whose clock shows something else. */
function machine() {
  const time = new ManualClock(start);
  let setByMs = 0;
  const own = {
    now: () => new Date(time.now().getTime() + setByMs),
    // Another origin than the wall clock's, as on a machine.
    monotonicMs: () => time.monotonicMs() - start.getTime(),
    sleep: (delayMs: number) => time.sleep(delayMs),
    startTimer: (delayMs: number, act: () => void) => time.startTimer(delayMs, act),
  };
  const clock = new ReferenceClock(own);
  return {
    clock,
    time,
    set: (byMs: number) => (setByMs = byMs),
    /** Asks a reference that is ahead by so much, over a network that takes so long on both ways. */
    measure: (aheadMs: number, outMs = 0, backMs = 0) =>
      clock.measure(() => {
        time.advance(outMs);
        const timeMs = time.now().getTime() + aheadMs;
        time.advance(backMs);
        return Promise.resolve(timeMs);
      }),
  };
}

describe('a reference clock', () => {
  it('shows the wall clock until it has measured', () => {
    const { clock, set } = machine();
    set(5000);
    expect(clock.now()).toEqual(new Date(start.getTime() + 5000));
    expect(clock.offsetMs()).toBe(0);
  });

  it('shows the reference from then on, whatever the wall clock is set to', async () => {
    const { clock, time, set, measure } = machine();
    expect(await measure(90_000)).toBe(0);
    time.advance(1500);
    set(-3_600_000);
    expect(clock.now()).toEqual(new Date(start.getTime() + 91_500));
    expect(clock.offsetMs()).toBe(3_690_000);
  });

  it('tells by how much the reference jumped, as far as the measurement proves it', async () => {
    const { clock, time, measure } = machine();
    await measure(0);
    time.advance(1000);
    expect(await measure(-3_600_000, 20, 30)).toBe(-3_599_980);
    expect(clock.now().getTime() - time.now().getTime()).toBe(-3_599_980);
  });

  it('is not moved by a slow answer', async () => {
    const { clock, time, measure } = machine();
    await measure(0);
    expect(await measure(0, 4000, 0)).toBe(0);
    expect(await measure(0, 0, 4000)).toBe(0);
    expect(clock.now()).toEqual(time.now());
  });

  it('is off by no more than the shortest round trip took, whatever the measurements', async () => {
    const trips = fc.array(fc.record({ out: fc.nat(5000), back: fc.nat(5000), between: fc.nat(10_000) }), {
      minLength: 1,
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -1e7, max: 1e7 }), trips, async (aheadMs, all) => {
        const { clock, time, measure } = machine();
        for (const { out, back, between } of all) {
          await measure(aheadMs, out, back);
          time.advance(between);
        }
        const shortestMs = Math.min(...all.map(({ out, back }) => out + back));
        const errorMs = clock.now().getTime() - (time.now().getTime() + aheadMs);
        expect(Math.abs(errorMs)).toBeLessThanOrEqual(shortestMs + 1);
      }),
    );
  });
});
