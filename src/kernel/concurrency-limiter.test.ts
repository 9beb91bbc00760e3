import { describe, expect, it } from 'vitest';
import { ConcurrencyLimiter } from './concurrency-limiter.ts';
import { ManualClock } from './manual-clock.ts';

const limiterOf = (maxWaiting: number) => {
  const clock = new ManualClock();
  return {
    clock,
    limiter: new ConcurrencyLimiter({ what: 'Reports', limit: 1, maxWaiting, maxWaitMs: 500, clock }),
  };
};

it('runs no more at once than it may, in the order of coming', async () => {
  const { limiter } = limiterOf(2);
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = limiter.run(() => gate.promise);
  const others = ['second', 'third'].map((name) => limiter.run(() => Promise.resolve(order.push(name))));
  await Promise.resolve();
  expect(order).toEqual([]);
  gate.resolve();
  await Promise.all([first, ...others]);
  expect(order).toEqual(['second', 'third']);
  expect([limiter.limit, limiter.takePeak(), limiter.takePeak()]).toEqual([3, 3, 0]);
});

it('refuses at once when the queue is full, and after its time who waits', async () => {
  const { clock, limiter } = limiterOf(1);
  const gate = Promise.withResolvers<void>();
  const first = limiter.run(() => gate.promise);
  const second = limiter.run(() => Promise.resolve('never'));
  await expect(limiter.run(() => Promise.resolve())).rejects.toMatchObject({
    code: 'MILLRACE_OVERLOADED',
    retryable: true,
    retryAfterMs: 1000,
  });
  clock.advance(500);
  await expect(second).rejects.toMatchObject({ code: 'MILLRACE_OVERLOADED' });
  gate.resolve();
  await first;
  expect(await limiter.run(() => Promise.resolve('free again'))).toBe('free again');
});

it('gives the place back when the work fails', async () => {
  const { limiter } = limiterOf(0);
  await expect(limiter.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await limiter.run(() => Promise.resolve(1))).toBe(1);
});

describe('of several keys', () => {
  const sharedLimiter = () => {
    const clock = new ManualClock();
    const limiter = new ConcurrencyLimiter({
      what: 'Reports',
      limit: 3,
      limitPerKey: 2,
      maxWaiting: 10,
      maxWaitingPerKey: 4,
      maxWaitMs: 500,
      clock,
    });
    const order: string[] = [];
    const gates: PromiseWithResolvers<void>[] = [];
    const run = (key: string, name: string) =>
      limiter.run(() => {
        order.push(name);
        const gate = Promise.withResolvers<void>();
        gates.push(gate);
        return gate.promise;
      }, key);
    return { clock, limiter, order, gates, run };
  };

  it('none takes all places, nor all of the queue', async () => {
    const { gates, limiter, order, run } = sharedLimiter();
    const alpha = Array.from({ length: 6 }, (_, index) => run('alpha', `a${index}`));
    await expect(run('alpha', 'a6')).rejects.toMatchObject({
      code: 'MILLRACE_RATE_LIMITED',
      retryAfterMs: 1000,
    });
    const beta = run('beta', 'b0');
    await Promise.resolve();
    expect(order).toEqual(['a0', 'a1', 'b0']);
    for (let done = 0; done < 7; done += 1) {
      gates[done]?.resolve();
      await new Promise(setImmediate);
    }
    await Promise.all([...alpha, beta]);
    expect(order).toEqual(['a0', 'a1', 'b0', 'a2', 'a3', 'a4', 'a5']);
    limiter.takePeak();
    expect(limiter.takePeak()).toBe(0);
  });

  it('those that wait are served in turn', async () => {
    const { gates, order, run } = sharedLimiter();
    const all = ['a0', 'a1', 'g0', 'a2', 'a3', 'a4', 'b0', 'b1', 'g1'].map((name) =>
      run(name.slice(0, 1), name),
    );
    await new Promise(setImmediate);
    for (let done = 0; done < all.length; done += 1) {
      gates[done]?.resolve();
      await new Promise(setImmediate);
    }
    await Promise.all(all);
    expect(order).toEqual(['a0', 'a1', 'g0', 'a2', 'g1', 'b0', 'a3', 'b1', 'a4']);
  });

  it('one that waits too long is told whose work it was that kept it waiting', async () => {
    const { clock, gates, run } = sharedLimiter();
    const running = [run('alpha', 'a0'), run('alpha', 'a1')];
    const own = run('alpha', 'a2');
    clock.advance(500);
    await expect(own).rejects.toMatchObject({ code: 'MILLRACE_RATE_LIMITED' });
    const beta = run('beta', 'b0');
    const others = run('beta', 'b1');
    clock.advance(500);
    await expect(others).rejects.toMatchObject({ code: 'MILLRACE_OVERLOADED' });
    for (const gate of gates) gate.resolve();
    await Promise.all([...running, beta]);
  });
});
