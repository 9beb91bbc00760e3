import { describe, expect, it } from 'vitest';
import type { TurnEnd } from '../kernel/background-job.ts';
import { ManualClock } from '../kernel/manual-clock.ts';
import { ReadingOnDemand } from './reading-on-demand.ts';

/** Readings that end when the test says so. */
function someReading() {
  const clock = new ManualClock();
  const ends: TurnEnd[] = [];
  const begun: PromiseWithResolvers<void>[] = [];
  const reading = new ReadingOnDemand({
    clock,
    read: () => {
      const one = Promise.withResolvers<void>();
      begun.push(one);
      return one.promise;
    },
    freshMs: 2000,
    staleMs: 60_000,
    patienceMs: { usual: 25, stale: 1000 },
    onEnd: (end) => ends.push(end),
  });
  return { clock, ends, begun, reading };
}

describe('a reading on demand', () => {
  it('is shared by all who ask at once, and good for a while', async () => {
    const { clock, begun, reading } = someReading();
    const asked = [reading.refresh(), reading.refresh()];
    begun[0]?.resolve();
    await Promise.all(asked);
    clock.advance(1999);
    await reading.refresh();
    expect(begun).toHaveLength(1);
    clock.advance(1);
    const again = reading.refresh();
    expect(begun).toHaveLength(2);
    begun[1]?.resolve();
    await again;
  });

  it('keeps nobody waiting long for stores that do not answer, and is not begun twice', async () => {
    const { clock, begun, reading } = someReading();
    const asked = reading.refresh();
    begun[0]?.resolve();
    await asked;
    for (const [passesMs, waitsMs] of [
      [2000, 25],
      [0, 25],
      [60_000, 1000],
    ] as const) {
      clock.advance(passesMs);
      let hasEnded = false;
      const waiting = reading.refresh().then(() => (hasEnded = true));
      clock.advance(waitsMs - 1);
      await Promise.resolve();
      expect(hasEnded).toBe(false);
      clock.advance(1);
      await waiting;
    }
    expect(begun).toHaveLength(2);
    begun[1]?.resolve();
    await reading.stop();
  });

  it('tells for how long readings have failed, and tries again when their time has come', async () => {
    const { clock, ends, begun, reading } = someReading();
    const error = new Error('the ledger is away');
    for (const turn of [0, 1, 2]) {
      const asked = reading.refresh();
      if (turn < 2) begun[turn]?.reject(error);
      else begun[turn]?.resolve();
      await asked;
      await reading.refresh();
      expect(begun).toHaveLength(turn + 1);
      clock.advance(2000);
    }
    expect(ends).toEqual([
      { kind: 'failed', error, failingMs: 0 },
      { kind: 'failed', error, failingMs: 2000 },
      { kind: 'succeeded' },
    ]);
  });

  it('stops after its last effect, and then reads no more', async () => {
    const { begun, reading } = someReading();
    const asked = reading.refresh();
    let hasStopped = false;
    const stopped = reading.stop().then(() => (hasStopped = true));
    await Promise.resolve();
    expect(hasStopped).toBe(false);
    begun[0]?.resolve();
    await Promise.all([asked, stopped]);
    await reading.refresh();
    expect(begun).toHaveLength(1);
  });
});
