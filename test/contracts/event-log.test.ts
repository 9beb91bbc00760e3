import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import { RedisEventLogDriver } from '../../src/drivers/event-log/event-log.redis.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, redisPrograms } from '../support/required-programs.ts';
import { ample, eventLogContract } from './event-log.contract.ts';

describe('event logs in memory', () => {
  eventLogContract(() => new MemoryEventLogDriver({ clock: systemClock }));

  it('are forgotten after their time, sooner once they have ended', async () => {
    const clock = new ManualClock();
    const driver = new MemoryEventLogDriver({ clock });
    await driver.append('open', ['a'], { limits: ample });
    await driver.append('ended', ['a'], { limits: ample, isEnd: true });
    clock.advance(ample.keptEndedMs);
    expect((await driver.list('ended', 0, 1)).entries).toEqual([]);
    expect((await driver.list('open', 0, 1)).entries).toHaveLength(1);
    clock.advance(ample.keptMs - ample.keptEndedMs);
    expect((await driver.list('open', 0, 1)).entries).toEqual([]);
    await driver.close();
  });

  it('give way to newer ones beyond the bytes of all', async () => {
    const driver = new MemoryEventLogDriver({ clock: new ManualClock(), maxTotalBytes: 1000 });
    for (const key of ['a', 'b', 'c', 'd']) await driver.append(key, ['x'.repeat(300)], { limits: ample });
    const kept = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (key) => (await driver.list(key, 0, 1)).entries.length),
    );
    expect(kept).toEqual([0, 0, 1, 1]);
    await driver.close();
  });
});

describe.skipIf(!canRun(redisPrograms()))('event logs on Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  const open = (): RedisEventLogDriver => RedisEventLogDriver.open({ url: server.url, prefix: 'contract' });

  eventLogContract(open);

  it('carry entries from one process to another, also after Redis was away', async () => {
    const [writer, reader] = [open(), open()];
    await expect.poll(() => writer.list('far', 0, 1).catch(() => 'away')).not.toBe('away');
    const seen: string[] = [];
    let readings = 0;
    const stop = reader.watch('far', (entries) => {
      if (entries === undefined) readings += 1;
      else seen.push(...entries.map(({ data }) => data));
    });
    await expect.poll(() => readings).toBe(1);
    await writer.append('far', ['before'], { limits: ample });
    await expect.poll(() => seen).toEqual(['before']);
    await server.pause();
    await expect(writer.append('far', ['lost'], { limits: ample })).rejects.toMatchObject({
      code: 'MILLRACE_EVENT_LOG_UNAVAILABLE',
    });
    await server.restart();
    await expect.poll(() => readings).toBe(2);
    await expect
      .poll(() => writer.append('far', ['after'], { limits: ample }).catch(() => 0))
      .toBeGreaterThan(0);
    await expect.poll(() => seen).toContain('after');
    expect(
      (await reader.list('far', 0, 10)).entries.map(({ data }) => data).filter((one) => one === 'before'),
    ).toEqual(['before']);
    stop();
    await writer.close();
    await reader.close();
  });

  it('begin above what was given before a FLUSHALL', async () => {
    const driver = open();
    await expect.poll(() => driver.list('flushed', 0, 1).catch(() => 'away')).not.toBe('away');
    const newest = await driver.append('flushed', ['a', 'b', 'c'], { limits: ample });
    await server.flushAll();
    expect(await driver.append('flushed', ['d'], { limits: ample })).toBeGreaterThan(newest);
    await driver.close();
  });
});
