import { describe, expect, it } from 'vitest';
import { BackgroundJob, type TurnEnd } from './background-job.ts';
import { ManualClock } from './manual-clock.ts';

describe('BackgroundJob', () => {
  it('turns again at once while there is more, then pauses; a nudge cuts the pause short', async () => {
    const clock = new ManualClock();
    let turns = 0;
    const loop = new BackgroundJob({
      clock,
      intervalMs: 1000,
      onTurnEnd: () => undefined,
      turn: () => {
        turns += 1;
        return Promise.resolve(turns < 3);
      },
    });
    loop.start();
    await expect.poll(() => clock.sleepers).toBe(1);
    expect(turns).toBe(3);
    clock.advance(1000);
    await expect.poll(() => turns).toBe(4);
    await expect.poll(() => clock.sleepers).toBe(1);
    loop.nudge();
    await expect.poll(() => turns).toBe(5);
    await loop.stop();
    expect(clock.sleepers).toBe(0);
  });

  it('reports how each turn ended, failures with how long they have lasted, and goes on', async () => {
    const clock = new ManualClock();
    const ends: TurnEnd[] = [];
    const failures = [undefined, new Error('one'), new Error('two'), undefined, new Error('three')];
    const loop = new BackgroundJob({
      clock,
      intervalMs: 10,
      onTurnEnd: (end) => ends.push(end),
      turn: () => {
        const error = failures[ends.length];
        return error === undefined ? Promise.resolve(false) : Promise.reject(error);
      },
    });
    loop.start();
    for (let count = 1; count <= failures.length; count += 1) {
      await expect.poll(() => ends.length).toBe(count);
      await expect.poll(() => clock.sleepers).toBe(1);
      clock.advance(10);
    }
    await loop.stop();
    expect(ends.slice(0, failures.length)).toEqual([
      { kind: 'succeeded' },
      { kind: 'failed', error: new Error('one'), failingMs: 0 },
      { kind: 'failed', error: new Error('two'), failingMs: 10 },
      { kind: 'succeeded' },
      { kind: 'failed', error: new Error('three'), failingMs: 0 },
    ]);
  });

  it('stops after the turn that is under way', async () => {
    const clock = new ManualClock();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let isOver = false;
    const loop = new BackgroundJob({
      clock,
      intervalMs: 10,
      onTurnEnd: () => undefined,
      turn: () => promise.finally(() => (isOver = true)),
    });
    loop.start();
    const stopped = loop.stop();
    resolve(true);
    await stopped;
    expect(isOver).toBe(true);
  });
});
