import { describe, expect, it } from 'vitest';
import { AppError } from './app-error.ts';
import { systemClock } from './clock.ts';
import { GroupCommit } from './group-commit.ts';

function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: resolve };
}

describe('GroupCommit', () => {
  it('writes what is wanted in one turn as one group and answers each', async () => {
    const groups: (readonly number[])[] = [];
    const commit = new GroupCommit<number, string>({
      name: 'test',
      clock: systemClock,
      flush: (items) => {
        groups.push(items);
        return Promise.resolve(items.map((item) => `n${item}`));
      },
    });
    expect(await Promise.all([1, 2, 3].map((item) => commit.submit(item)))).toEqual(['n1', 'n2', 'n3']);
    expect(groups).toEqual([[1, 2, 3]]);
  });

  it('collects while a group is under way, and keeps groups within their size', async () => {
    const first = gate();
    const groups: (readonly number[])[] = [];
    const commit = new GroupCommit<number, number>({
      name: 'test',
      clock: systemClock,
      maxGroup: 4,
      flush: async (items) => {
        groups.push(items);
        if (groups.length === 1) await first.promise;
        return items;
      },
    });
    const one = commit.submit(0);
    await expect.poll(() => groups.length).toBe(1);
    const rest = [1, 2, 3, 4, 5, 6].map((item) => commit.submit(item));
    first.open();
    expect(await Promise.all([one, ...rest])).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(groups).toEqual([[0], [1, 2, 3, 4], [5, 6]]);
  });

  it('fails every item of a failed group, and goes on with the next', async () => {
    let turn = 0;
    const commit = new GroupCommit<number, number>({
      name: 'test',
      clock: systemClock,
      flush: (items) => {
        turn += 1;
        return turn === 1
          ? Promise.reject(new AppError('MILLRACE_DATABASE_FAILED', 'no'))
          : Promise.resolve(items);
      },
    });
    const outcomes = await Promise.allSettled([commit.submit(1), commit.submit(2)]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
    expect(await commit.submit(3)).toBe(3);
  });

  it('halves a group that is refused for its data until the refused item stands alone, in order', async () => {
    const written: number[] = [];
    let flushes = 0;
    const commit = new GroupCommit<number, number>({
      name: 'test',
      clock: systemClock,
      flush: (items) => {
        flushes += 1;
        if (items.includes(37)) return Promise.reject(new AppError('MILLRACE_DATA_REFUSED', 'no'));
        written.push(...items);
        return Promise.resolve(items);
      },
    });
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const outcomes = await Promise.allSettled(numbers.map((item) => commit.submit(item)));
    expect(outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([37]);
    expect(written).toEqual(numbers.filter((item) => item !== 37));
    expect(flushes).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(100)));
  });

  it('writes a deadlock victim again', async () => {
    let turn = 0;
    const commit = new GroupCommit<number, number>({
      name: 'test',
      clock: systemClock,
      flush: (items) => {
        turn += 1;
        return turn < 3
          ? Promise.reject(new AppError('MILLRACE_DATABASE_CONFLICT', 'deadlock'))
          : Promise.resolve(items);
      },
    });
    expect(await commit.submit(7)).toBe(7);
  });

  it('refuses one more than may wait', async () => {
    const hold = gate();
    const commit = new GroupCommit<number, number>({
      name: 'test',
      clock: systemClock,
      maxWaiting: 2,
      flush: async (items) => {
        await hold.promise;
        return items;
      },
    });
    const waiting = [commit.submit(1), commit.submit(2)];
    await expect(commit.submit(3)).rejects.toMatchObject({ code: 'MILLRACE_LEDGER_BUSY' });
    hold.open();
    expect(await Promise.all(waiting)).toEqual([1, 2]);
  });

  it('tells the most that waited at once since it was asked last', async () => {
    const commit = new GroupCommit<number, number>({
      name: 'test',
      clock: systemClock,
      maxWaiting: 3,
      flush: (items) => Promise.resolve(items),
    });
    expect([commit.limit, commit.takePeak()]).toEqual([3, 0]);
    const refused = { code: 'MILLRACE_LEDGER_BUSY' };
    const submitted = [1, 2, 3].map((item) => commit.submit(item));
    await expect(commit.submit(4)).rejects.toMatchObject(refused);
    await Promise.all(submitted);
    expect(commit.takePeak()).toBe(3);
    expect(commit.takePeak()).toBe(0);
  });
});
