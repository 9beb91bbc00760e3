import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BullMqQueueDriver } from '../../src/drivers/queue/queue-driver.bullmq.ts';
import { MemoryQueueDriver } from '../../src/drivers/queue/queue-driver.memory.ts';
import { slotOf } from '../../src/drivers/queue/job-notification.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { queueContract } from './queue.contract.ts';

let opened = 0;
const newPrefix = (): string => `contract-${(opened += 1)}`;

describe('queues in memory', () => {
  queueContract(() => Promise.resolve(new MemoryQueueDriver(systemClock)));

  it('have nothing to warn of', async () => {
    const driver = new MemoryQueueDriver(systemClock);
    expect(await driver.warnings()).toEqual([]);
    await driver.close();
  });
});

describe('the slot of a notification', () => {
  it('is never early, and late by a sixteenth of the delay or 50 ms at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 * 86_400_000 }), fc.nat(2 ** 40), (delayMs, nowMs) => {
        const slot = slotOf({ delayMs }, nowMs);
        expect(slot.delayMs).toBeGreaterThanOrEqual(delayMs);
        expect(slot.delayMs).toBeLessThanOrEqual(delayMs + Math.max(50, delayMs / 16));
        expect(slot.id).toBe(`at-${nowMs + slot.delayMs}`);
      }),
    );
  });

  it('is one for all that are due now', () => {
    expect(slotOf({}, 5)).toEqual(slotOf({ messageId: 'any', delayMs: -3 }, 9));
  });
});

describe.skipIf(!canRun(redisPrograms()))('BullMQ on Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  queueContract(() => BullMqQueueDriver.open({ url: server.url, prefix: newPrefix() }));

  it.each([
    ['READONLY', (refusing: RedisServer, refuses: boolean) => refusing.setReadOnly(refuses)],
    ['OOM', (refusing: RedisServer, refuses: boolean) => refusing.setFull(refuses)],
  ])(
    'asks a Redis that refuses everything (%s) a few times, not thousands, and goes on when it takes writes',
    async (refusal, setRefusing) => {
      const refusing = await RedisServer.start();
      const driver = await BullMqQueueDriver.open({ url: refusing.url, prefix: newPrefix() });
      const errors: string[] = [];
      let taken = 0;
      const queue = driver.queue('refused');
      const consumer = await queue.consume({
        mayTake: () => Promise.resolve(true),
        onTaken: () => void (taken += 1),
        onError: (error) => errors.push(error.message),
      });
      await queue.add([{}]);
      await expect.poll(() => taken).toBe(1);
      // A full Redis lets a consumer wait, and refuses when there is something to take.
      await consumer.pause();
      await queue.add([{}]);
      await setRefusing(refusing, true);
      await consumer.resume();
      await expect.poll(() => errors.length, { timeout: 20_000 }).toBeGreaterThan(2);
      await expect(queue.add([{ delayMs: 1 }])).rejects.toMatchObject({ code: 'MILLRACE_QUEUE_UNAVAILABLE' });
      await setRefusing(refusing, false);
      await expect.poll(() => taken, { timeout: 20_000 }).toBe(2);
      expect(errors.length).toBeLessThan(50);
      expect(errors.join()).toContain(refusal);
      await consumer.close();
      await driver.close();
      await refusing.stop();
    },
    60_000,
  );

  it('knows that it was emptied', async () => {
    const driver = await BullMqQueueDriver.open({ url: server.url, prefix: newPrefix() });
    await driver.wasKept();
    await server.flushAll();
    expect(await driver.wasKept()).toBe(false);
    await driver.close();
  });

  it('warns of a Redis that may lose jobs, and only of such a one', async () => {
    const careless = await RedisServer.start({ appendOnly: 'off', maxMemoryPolicy: 'allkeys-lru' });
    const driver = await BullMqQueueDriver.open({ url: careless.url, prefix: newPrefix() });
    expect(await driver.warnings()).toEqual([
      expect.stringContaining('append-only'),
      expect.stringContaining('allkeys-lru'),
    ]);
    await driver.close();
    await careless.stop();
    const careful = await BullMqQueueDriver.open({ url: server.url, prefix: newPrefix() });
    expect(await careful.warnings()).toEqual([]);
    await careful.close();
  });

  storeFailures(async () => ({
    url: server.url,
    pause: () => server.kill(),
    failDuring: (use) =>
      failUnanswered(
        use,
        () => process.kill(server.pid, 'SIGSTOP'),
        () => server.kill(),
      ),
    restart: () => server.restart(),
  }));
});

describe.skipIf(!canRun(postgresPrograms()))('BullMQ on PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.stop());

  queueContract(() => BullMqQueueDriver.open({ url: server.connectionString, prefix: newPrefix() }));

  it('warns of a server without fsync, and only of such a one', async () => {
    const careless = await PostgresServer.start({ settings: { fsync: 'off' } });
    const driver = await BullMqQueueDriver.open({ url: careless.connectionString, prefix: newPrefix() });
    expect(await driver.warnings()).toEqual([expect.stringContaining('fsync')]);
    await driver.close();
    await careless.stop();
    const careful = await BullMqQueueDriver.open({ url: server.connectionString, prefix: newPrefix() });
    expect(await careful.warnings()).toEqual([]);
    await careful.close();
  });

  storeFailures(async () => ({
    url: server.connectionString,
    pause: () => server.kill(),
    failDuring: (use) =>
      failUnanswered(
        use,
        () => server.freeze(),
        () => server.kill(),
      ),
    restart: () => server.restart(),
  }));
});

/** The server takes the question, and dies before it answers, so that the connection is reset. */
async function failUnanswered(
  use: () => Promise<unknown>,
  freeze: () => void,
  kill: () => Promise<void>,
): Promise<PromiseSettledResult<unknown>> {
  freeze();
  const used = Promise.allSettled([use()]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await kill();
  return (await used)[0];
}

interface FailingStore {
  readonly url: string;
  readonly pause: () => Promise<void>;
  /** Kills the server so that what is asked of it fails. */
  readonly failDuring: (use: () => Promise<unknown>) => Promise<PromiseSettledResult<unknown>>;
  readonly restart: () => Promise<void>;
}

function storeFailures(store: () => Promise<FailingStore>): void {
  it('says unavailable while its server is away, and consumes again when it is back', async () => {
    const { url, pause, restart } = await store();
    const driver = await BullMqQueueDriver.open({ url, prefix: newPrefix() });
    const queue = driver.queue('summarise');
    let received = 0;
    await queue.consume({
      mayTake: () => Promise.resolve(true),
      onTaken: () => void (received += 1),
      onError: () => undefined,
    });
    await queue.add([{}]);
    await expect.poll(() => received).toBe(1);
    await pause();
    await expect(queue.add([{}])).rejects.toMatchObject({
      code: 'MILLRACE_QUEUE_UNAVAILABLE',
      retryable: true,
    });
    await restart();
    const added = async (): Promise<boolean> =>
      queue.add([{}]).then(
        () => true,
        () => false,
      );
    await expect.poll(added, { timeout: 20_000 }).toBe(true);
    await expect.poll(() => received, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
    await driver.close();
  });

  it.each(['add', 'wasKept'] as const)('gets over an outage during its first %s', async (first) => {
    const { url, failDuring, restart } = await store();
    const driver = await BullMqQueueDriver.open({ url, prefix: newPrefix() });
    const use = (): Promise<unknown> =>
      first === 'add' ? driver.queue('summarise').add([{}]) : driver.wasKept();
    expect(await failDuring(use)).toMatchObject({
      status: 'rejected',
      reason: { code: 'MILLRACE_QUEUE_UNAVAILABLE' },
    });
    await restart();
    const works = (): Promise<boolean> =>
      use().then(
        () => true,
        () => false,
      );
    await expect.poll(works, { timeout: 20_000 }).toBe(true);
    await driver.close();
  });

  it('closes although its server is away, after the work in hand', async () => {
    const { url, pause, restart } = await store();
    const driver = await BullMqQueueDriver.open({ url, prefix: newPrefix() });
    const queue = driver.queue('summarise');
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let started = 0;
    let ended = 0;
    await queue.consume({
      mayTake: async () => {
        started += 1;
        await gate;
        ended += 1;
        return true;
      },
      onTaken: () => undefined,
      onError: () => undefined,
    });
    await queue.add([{}]);
    await expect.poll(() => started).toBe(1);
    await pause();
    const closed = driver.close();
    release();
    await closed;
    expect(ended).toBe(1);
    await restart();
  });

  it('says unavailable when nothing listens there', async () => {
    const { url } = await store();
    const nowhere = url.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1');
    await expect(BullMqQueueDriver.open({ url: nowhere, prefix: 'x' })).rejects.toMatchObject({
      code: 'MILLRACE_QUEUE_UNAVAILABLE',
    });
  });
}
