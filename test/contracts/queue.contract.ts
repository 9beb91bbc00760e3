import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Queue, QueueConsumer, QueueDriver, WakeUp } from '../../src/drivers/queue/queue.ts';
import { newId } from '../../src/kernel/ids.ts';

/** A wake-up call for a new message, with what the test cares about. */
export function wakeUp(parts: Partial<WakeUp> = {}): WakeUp {
  return {
    messageId: newId(new Date()),
    fence: 0,
    origin: {
      team: 'platform',
      customer: 'Küche & Söhne "42"',
      feature: 'summaries',
      labels: { tier: 'gold' },
    },
    lane: 'standard',
    ...parts,
  };
}

/** What every QueueDriver keeps. `open` gives a driver whose queues nobody else uses. */
export function queueContract(open: () => Promise<QueueDriver>): void {
  let driver: QueueDriver;
  let queue: Queue;
  let consumers: QueueConsumer[];

  beforeEach(async () => {
    driver = await open();
    queue = driver.queue('summarise');
    consumers = [];
  });
  afterEach(async () => {
    await driver.close();
  });

  const consume = async (
    work: (wakeUp: WakeUp) => Promise<void>,
    { concurrency = 10, onError = (error: Error): void => expect.fail(String(error)) } = {},
  ): Promise<QueueConsumer> => {
    const consumer = await queue.consume(work, { concurrency, onError });
    consumers.push(consumer);
    return consumer;
  };
  const collect = async (options = {}): Promise<WakeUp[]> => {
    const received: WakeUp[] = [];
    await consume(async (call) => void received.push(call), options);
    return received;
  };

  describe('adding', () => {
    it('hands on what it was given', async () => {
      const first = wakeUp({ traceParent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
      const second = wakeUp({ fence: 7, lane: 'bulk', origin: { ...first.origin, batch: 'run-1' } });
      const received = await collect();
      await queue.add([first, second]);
      await expect.poll(() => received).toHaveLength(2);
      expect(received.toSorted((left, right) => left.fence - right.fence)).toEqual([first, second]);
    });

    it('takes one and many in one call, and none', async () => {
      const calls = Array.from({ length: 300 }, () => wakeUp());
      await queue.add([]);
      await queue.add(calls.slice(0, 1));
      await queue.add(calls.slice(1));
      expect(await queue.counts()).toEqual({ waiting: 300, delayed: 0, active: 0 });
      const received = await collect();
      await expect.poll(() => received, { timeout: 10_000 }).toHaveLength(300);
      expect(new Set(received.map((call) => call.messageId))).toEqual(
        new Set(calls.map((call) => call.messageId)),
      );
    });

    it('leaves a job that is already there as it is', async () => {
      const call = wakeUp();
      await queue.add([call, call]);
      await queue.add([{ ...call, lane: 'bulk' }]);
      expect((await queue.counts()).waiting).toBe(1);
      const received = await collect();
      await expect.poll(() => received).toHaveLength(1);
      expect(received[0]?.lane).toBe('standard');
    });

    it('tells the same message with another fence apart', async () => {
      const call = wakeUp();
      await queue.add([call, { ...call, fence: 1 }, { ...call, fence: 2 }]);
      expect((await queue.counts()).waiting).toBe(3);
    });

    it('takes a message again after its job has ended', async () => {
      const call = wakeUp();
      const received = await collect();
      await queue.add([call]);
      await expect.poll(() => received).toHaveLength(1);
      await expect.poll(() => queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0 });
      await queue.add([call]);
      await expect.poll(() => received).toHaveLength(2);
    });

    it('holds a delayed job back until its time', async () => {
      const received: { readonly call: WakeUp; readonly at: number }[] = [];
      await consume(async (call) => void received.push({ call, at: performance.now() }));
      const late = wakeUp({ delayMs: 300 });
      const addedAt = performance.now();
      await queue.add([late]);
      expect((await queue.counts()).delayed).toBe(1);
      const soon = wakeUp();
      await queue.add([soon]);
      await expect.poll(() => received, { timeout: 5000 }).toHaveLength(2);
      expect(received.map(({ call }) => call.messageId)).toEqual([soon.messageId, late.messageId]);
      // The due time is on the wall clock, in whole milliseconds.
      expect((received[1]?.at ?? 0) - addedAt).toBeGreaterThanOrEqual(298);
    });

    it('keeps queues apart', async () => {
      await driver.queue('classify').add([wakeUp()]);
      expect((await queue.counts()).waiting).toBe(0);
      expect((await driver.queue('classify').counts()).waiting).toBe(1);
      expect(driver.queue('classify')).toBe(driver.queue('classify'));
    });
  });

  describe('consuming', () => {
    it('has at most `concurrency` in hand, and as many as that', async () => {
      let active = 0;
      let most = 0;
      let ended = 0;
      await queue.add(Array.from({ length: 40 }, () => wakeUp()));
      await consume(
        async () => {
          active += 1;
          most = Math.max(most, active);
          await expect.poll(() => most, { interval: 5 }).toBeGreaterThanOrEqual(4);
          active -= 1;
          ended += 1;
        },
        { concurrency: 4 },
      );
      await expect.poll(() => ended, { timeout: 10_000 }).toBe(40);
      expect(most).toBe(4);
    });

    it('reports an error of the work, gives the job up, and goes on', async () => {
      const errors: string[] = [];
      const received: string[] = [];
      const bad = wakeUp();
      const good = wakeUp();
      await consume(
        async (call) => {
          received.push(call.messageId);
          if (call.messageId === bad.messageId) throw new Error('work failed');
        },
        { concurrency: 1, onError: (error: Error) => void errors.push(error.message) },
      );
      // One after the other: jobs that are added together have no order.
      await queue.add([bad]);
      await queue.add([good]);
      await expect.poll(() => received).toEqual([bad.messageId, good.messageId]);
      await expect.poll(() => queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0 });
      expect(errors).toEqual(['work failed']);
    });

    it('takes nothing while paused, and what came meanwhile after it resumes', async () => {
      const received: WakeUp[] = [];
      const consumer = await consume(async (call) => void received.push(call));
      await queue.add([wakeUp()]);
      await expect.poll(() => received).toHaveLength(1);
      await consumer.pause();
      await queue.add(Array.from({ length: 5 }, () => wakeUp()));
      const other = driver.queue('other');
      let otherReceived = 0;
      await other.consume(async () => void (otherReceived += 1), {
        concurrency: 1,
        onError: () => undefined,
      });
      await other.add([wakeUp()]);
      await expect.poll(() => otherReceived).toBe(1);
      expect(received).toHaveLength(1);
      await consumer.resume();
      await expect.poll(() => received, { timeout: 10_000 }).toHaveLength(6);
    });

    it('takes a new concurrency while it runs', async () => {
      let active = 0;
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const consumer = await consume(
        async () => {
          active += 1;
          await gate;
        },
        { concurrency: 1 },
      );
      consumer.setConcurrency(3);
      await queue.add(Array.from({ length: 5 }, () => wakeUp()));
      await expect.poll(() => active, { timeout: 10_000 }).toBe(3);
      release();
      await expect.poll(() => active, { timeout: 10_000 }).toBe(5);
    });

    it('ends what is in hand before close() resolves, and leaves the rest', async () => {
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      let started = 0;
      let ended = 0;
      const consumer = await consume(
        async () => {
          started += 1;
          await gate;
          ended += 1;
        },
        { concurrency: 2 },
      );
      await queue.add(Array.from({ length: 5 }, () => wakeUp()));
      await expect.poll(() => started).toBe(2);
      let isClosed = false;
      const closed = consumer.close().then(() => (isClosed = true));
      await expect.poll(() => queue.counts()).toMatchObject({ waiting: 3, active: 2 });
      expect(isClosed).toBe(false);
      release();
      await closed;
      expect({ started, ended }).toEqual({ started: 2, ended: 2 });
      expect(await queue.counts()).toEqual({ waiting: 3, delayed: 0, active: 0 });
    });

    it('shares a queue among consumers, each job to one of them', async () => {
      const first = await collect();
      const second = await collect();
      const calls = Array.from({ length: 200 }, () => wakeUp());
      await queue.add(calls);
      await expect.poll(() => first.length + second.length, { timeout: 10_000 }).toBe(200);
      expect(new Set([...first, ...second].map((call) => call.messageId)).size).toBe(200);
    });

    it('closes at once when it is idle', async () => {
      const consumer = await consume(async () => undefined);
      const begin = performance.now();
      await consumer.close();
      expect(performance.now() - begin).toBeLessThan(1000);
    });
  });

  describe('the store', () => {
    it('remembers that it was kept', async () => {
      expect(await driver.wasKept()).toBe(false);
      expect(await driver.wasKept()).toBe(true);
    });

    it('loses every job on clear(), and works on', async () => {
      await queue.add([wakeUp(), wakeUp({ delayMs: 60_000 })]);
      await queue.clear();
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0 });
      const received = await collect();
      await queue.add([wakeUp()]);
      await expect.poll(() => received).toHaveLength(1);
    });

    it('answers a ping until it is closed, and closes twice', async () => {
      await driver.ping();
      await Promise.all([driver.close(), driver.close()]);
      await expect(driver.ping()).rejects.toMatchObject({ code: 'MILLRACE_QUEUE_UNAVAILABLE' });
      await expect(queue.add([wakeUp()])).rejects.toMatchObject({ code: 'MILLRACE_QUEUE_UNAVAILABLE' });
    });
  });
}
