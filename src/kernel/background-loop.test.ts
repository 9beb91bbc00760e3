import { describe, expect, it } from 'vitest';
import { BackgroundLoop } from './background-loop.ts';
import { ManualClock } from './manual-clock.ts';

describe('BackgroundLoop', () => {
  it('turns again at once while there is more, then pauses; a nudge cuts the pause short', async () => {
    const clock = new ManualClock();
    let turns = 0;
    const loop = new BackgroundLoop({
      name: 'test',
      clock,
      pauseMs: 1000,
      onError: () => undefined,
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

  it('reports a failure and goes on', async () => {
    const clock = new ManualClock();
    const failures: string[] = [];
    let turns = 0;
    const loop = new BackgroundLoop({
      name: 'chore',
      clock,
      pauseMs: 10,
      onError: (error, name) => failures.push(`${name}: ${String(error)}`),
      turn: () => {
        turns += 1;
        return turns === 1 ? Promise.reject(new Error('no')) : Promise.resolve(false);
      },
    });
    loop.start();
    await expect.poll(() => clock.sleepers).toBe(1);
    clock.advance(10);
    await expect.poll(() => turns).toBe(2);
    expect(failures).toEqual(['chore: Error: no']);
    await loop.stop();
  });

  it('stops after the turn that is under way', async () => {
    const clock = new ManualClock();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let isOver = false;
    const loop = new BackgroundLoop({
      name: 'test',
      clock,
      pauseMs: 10,
      onError: () => undefined,
      turn: () => promise.finally(() => (isOver = true)),
    });
    loop.start();
    const stopped = loop.stop();
    resolve(true);
    await stopped;
    expect(isOver).toBe(true);
  });
});
