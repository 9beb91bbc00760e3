import { expect, it } from 'vitest';
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
