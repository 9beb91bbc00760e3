import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventLogDriver, LogEntry, LogLimits } from '../../src/drivers/event-log/event-log-driver.ts';
import { newId } from '../../src/kernel/ids.ts';

/** Limits that nothing in a test reaches. */
export const ample: LogLimits = {
  maxEntries: 1000,
  maxBytes: 1_000_000,
  keptMs: 60_000,
  keptEndedMs: 30_000,
};

/** What every EventLogDriver keeps. `open` gives one over a store that may hold other logs. */
export function eventLogContract(open: () => EventLogDriver | Promise<EventLogDriver>): void {
  let driver: EventLogDriver;
  let key: string;
  beforeEach(async () => {
    driver = await open();
    key = newId(new Date());
    await expect.poll(() => driver.list(key, 0, 1).catch(() => 'away')).not.toBe('away');
  });
  afterEach(() => driver.close());

  const append = (...data: string[]): Promise<number> => driver.append(key, data, { limits: ample });
  const textsOf = (entries: readonly LogEntry[]): string[] => entries.map(({ data }) => data);
  const all = async (after = 0): Promise<string[]> => textsOf((await driver.list(key, after, 1000)).entries);

  it('keeps entries in order under ids that follow one another, apart from other logs', async () => {
    const before = Date.now() * 1000;
    await append('one', 'two');
    await driver.append(newId(new Date()), ['of another'], { limits: ample });
    const newest = await append('three "quoted" \u0000 \n 😀', '');
    const { entries, hasMore } = await driver.list(key, 0, 10);
    expect(textsOf(entries)).toEqual(['one', 'two', 'three "quoted" \u0000 \n 😀', '']);
    const [first] = entries;
    expect(entries.map(({ id }) => id - (first?.id ?? 0))).toEqual([0, 1, 2, 3]);
    expect(entries.at(-1)?.id).toBe(newest);
    expect(hasMore).toBe(false);
    expect(first?.id).toBeGreaterThan(before - 10_000_000);
    expect(Number.isSafeInteger(newest)).toBe(true);
  });

  it('gives what comes after an id, page by page, and nothing of what is not there', async () => {
    expect(await driver.list(key, 0, 10)).toEqual({ entries: [], hasMore: false });
    const newest = await append('a', 'b', 'c', 'd');
    const page = await driver.list(key, newest - 3, 2);
    expect(page).toEqual({
      entries: [
        { id: newest - 2, data: 'b' },
        { id: newest - 1, data: 'c' },
      ],
      hasMore: true,
    });
    expect(await driver.list(key, newest, 2)).toEqual({ entries: [], hasMore: false });
    expect(await driver.list(key, Number.MAX_SAFE_INTEGER, 2)).toEqual({ entries: [], hasMore: false });
  });

  it('drops the oldest beyond its entries and beyond its bytes, and always keeps the newest', async () => {
    const few = { ...ample, maxEntries: 3 };
    for (const text of ['1', '2', '3', '4', '5']) await driver.append(key, [text], { limits: few });
    expect(await all()).toEqual(['3', '4', '5']);
    const small = { ...ample, maxBytes: 500 };
    await driver.append(key, ['x'.repeat(300)], { limits: small });
    await driver.append(key, ['y'.repeat(300)], { limits: small });
    expect(await all()).toEqual(['y'.repeat(300)]);
    await driver.append(key, ['z'.repeat(2000)], { limits: small });
    expect((await driver.list(key, 0, 10)).entries).toHaveLength(1);
  });

  it('takes nothing after its end', async () => {
    await append('one');
    const last = await driver.append(key, ['end'], { limits: ample, isEnd: true });
    expect(await append('late')).toBe(last);
    expect(await all()).toEqual(['one', 'end']);
  });

  it('begins anew above every id that was given before, once it was lost', async () => {
    const newest = await append(...Array.from({ length: 50 }, String));
    await driver.remove(key);
    expect(await all()).toEqual([]);
    expect(await append('anew')).toBeGreaterThan(newest);
    await driver.remove(key);
    const ahead = newest + 10_000_000_000;
    const next = await driver.append(key, ['after a clock that was ahead'], { limits: ample, above: ahead });
    expect(next).toBe(ahead + 1);
  });

  it('tells those who watch of what is appended, as it is, until they stop', async () => {
    const seen: LogEntry[] = [];
    let readings = 0;
    const stop = driver.watch(key, (entries) => {
      if (entries === undefined) readings += 1;
      else seen.push(...entries);
    });
    await expect.poll(() => readings).toBe(1);
    let others = 0;
    const stopOther = driver.watch(key, () => (others += 1));
    expect(others).toBe(1);
    const newest = await append('one', 'two');
    await expect
      .poll(() => seen)
      .toEqual([
        { id: newest - 1, data: 'one' },
        { id: newest, data: 'two' },
      ]);
    await expect.poll(() => others).toBe(2);
    stop();
    await append('three');
    await expect.poll(() => others).toBe(3);
    stopOther();
    stopOther();
    expect(seen).toHaveLength(2);
  });

  describe('large batches', () => {
    it('are told of, with their data or as something to read', async () => {
      let told = 0;
      const stop = driver.watch(key, () => (told += 1));
      await expect.poll(() => told).toBe(1);
      await append('x'.repeat(200_000));
      await expect.poll(() => told).toBe(2);
      expect(await all()).toEqual(['x'.repeat(200_000)]);
      stop();
    });
  });
}
