import { describe, expect, it } from 'vitest';
import { within } from './clock.ts';
import { ManualClock } from './manual-clock.ts';

describe('a clock in progress', () => {
  it('calls its timers in the order of their times, each at its time', () => {
    const clock = new ManualClock(new Date(0));
    const calls: [string, number][] = [];
    const note = (name: string) => (): void => void calls.push([name, clock.monotonicMs()]);
    clock.startTimer(300, note('third'));
    clock.startTimer(100, () => {
      note('first')();
      clock.startTimer(100, note('second'));
    });
    clock.startTimer(150, note('never')).close();
    clock.startTimer(301, note('later'));
    clock.advance(300);
    expect(calls).toEqual([
      ['first', 100],
      ['second', 200],
      ['third', 300],
    ]);
    expect(clock.monotonicMs()).toBe(300);
    expect(clock.sleepers).toBe(1);
  });

  it('ends a sleep at its time, or when its signal aborts', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const slept = clock.sleep(100);
    const cut = clock.sleep(100, stop.signal);
    stop.abort(new Error('enough'));
    await expect(cut).rejects.toThrow('enough');
    clock.advance(100);
    await expect(slept).resolves.toBeUndefined();
    expect(clock.sleepers).toBe(0);
  });

  it('bounds what a promise may take', async () => {
    const clock = new ManualClock();
    await expect(within(clock, 100, Promise.resolve('in time'), () => new Error('late'))).resolves.toBe(
      'in time',
    );
    const late = within(clock, 100, new Promise(() => undefined), () => new Error('late'));
    clock.advance(100);
    await expect(late).rejects.toThrow('late');
    expect(clock.sleepers).toBe(0);
  });
});
