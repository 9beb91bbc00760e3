import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobNotification } from '../../src/drivers/queue/job-notification.ts';
import type { Queue, QueueConsumer, QueueDriver } from '../../src/drivers/queue/queue.ts';
import { newId } from '../../src/kernel/ids.ts';

/** What every QueueDriver keeps. `open` gives a driver whose queues nobody else uses. */
export function queueContract(open: () => Promise<QueueDriver>): void {
  let driver: QueueDriver;
  let queue: Queue;

  beforeEach(async () => {
    driver = await open();
    queue = driver.queue('summarise');
  });
  afterEach(async () => {
    await driver.close();
  });

  const consume = (
    onTaken: (notification: JobNotification) => void,
    { mayTake = (): Promise<boolean> => Promise.resolve(true), from = queue } = {},
  ): Promise<QueueConsumer> =>
    from.consume({ mayTake, onTaken, onError: (error) => expect.fail(String(error)) });
  const collect = async (): Promise<JobNotification[]> => {
    const received: JobNotification[] = [];
    await consume((notification) => void received.push(notification));
    return received;
  };
  const empty = { waiting: 0, delayed: 0, active: 0 };

  describe('adding', () => {
    it('makes one of many that are due now, and takes none at all', async () => {
      await queue.add([]);
      expect(await queue.counts()).toEqual(empty);
      await queue.add([{}, {}, { messageId: newId(new Date()) }]);
      await queue.add([{}]);
      expect(await queue.counts()).toEqual({ waiting: 1, delayed: 0, active: 0 });
      const received = await collect();
      await expect.poll(() => received).toHaveLength(1);
      await expect.poll(() => queue.counts()).toEqual(empty);
    });

    it('tells again of what was added after one was taken', async () => {
      const received = await collect();
      await queue.add([{}]);
      await expect.poll(() => received).toHaveLength(1);
      await queue.add([{}]);
      await expect.poll(() => received).toHaveLength(2);
    });

    it('hands one on only when it has left the queue, so that none added meanwhile is lost', async () => {
      const waitingWhenTaken: Promise<number>[] = [];
      await consume(() => {
        if (waitingWhenTaken.length === 0)
          waitingWhenTaken.push(queue.add([{}]).then(async () => (await queue.counts()).waiting));
        else waitingWhenTaken.push(Promise.resolve(0));
      });
      await queue.add([{}]);
      await expect.poll(() => waitingWhenTaken).toHaveLength(2);
    });

    it('holds a delayed one back until its time, with the message it is about', async () => {
      const received: { readonly notification: JobNotification; readonly at: number }[] = [];
      await consume((notification) => void received.push({ notification, at: performance.now() }));
      const messageId = newId(new Date());
      const addedAt = performance.now();
      await queue.add([{ messageId, delayMs: 300 }]);
      await queue.add([{}]);
      await expect.poll(() => received).toHaveLength(2);
      const delayed = received.find(({ notification }) => notification.messageId !== undefined);
      expect(delayed?.notification.messageId).toBe(messageId);
      // The due time is on the wall clock, in whole milliseconds.
      expect((delayed?.at ?? 0) - addedAt).toBeGreaterThanOrEqual(298);
    });

    it('makes few of many delayed ones', async () => {
      await queue.add(Array.from({ length: 500 }, (_, index) => ({ delayMs: 60_000 + index })));
      const { delayed } = await queue.counts();
      expect(delayed).toBeGreaterThanOrEqual(1);
      expect(delayed).toBeLessThanOrEqual(3);
    });

    it('keeps queues apart', async () => {
      await driver.queue('classify').add([{}]);
      expect((await queue.counts()).waiting).toBe(0);
      expect((await driver.queue('classify').counts()).waiting).toBe(1);
      expect(driver.queue('classify')).toBe(driver.queue('classify'));
    });
  });

  describe('consuming', () => {
    it('leaves what one consumer may not take to another', async () => {
      const taken: string[] = [];
      let refusals = 0;
      const saturated: { consumer?: QueueConsumer } = {};
      saturated.consumer = await consume(() => void taken.push('saturated'), {
        mayTake: async () => {
          refusals += 1;
          await saturated.consumer?.pause();
          return false;
        },
      });
      await queue.add([{}]);
      await expect.poll(() => refusals).toBe(1);
      expect(taken).toEqual([]);
      await consume(() => void taken.push('free'));
      await expect.poll(() => taken).toEqual(['free']);
      expect(await queue.counts()).toEqual(empty);
    });

    it('takes nothing while paused, and what came meanwhile after it resumes', async () => {
      let received = 0;
      const consumer = await consume(() => void (received += 1));
      await queue.add([{}]);
      await expect.poll(() => received).toBe(1);
      await consumer.pause();
      await queue.add([{}]);
      const other = driver.queue('other');
      let otherReceived = 0;
      await consume(() => void (otherReceived += 1), { from: other });
      await other.add([{}]);
      await expect.poll(() => otherReceived).toBe(1);
      expect(received).toBe(1);
      await consumer.resume();
      await expect.poll(() => received).toBe(2);
    });

    it('ends what is being asked before close() resolves, and takes nothing after', async () => {
      const asking = Promise.withResolvers<boolean>();
      let asked = 0;
      let taken = 0;
      const consumer = await consume(() => void (taken += 1), {
        mayTake: () => {
          asked += 1;
          return asking.promise;
        },
      });
      await queue.add([{}]);
      await expect.poll(() => asked).toBe(1);
      let isClosed = false;
      const closed = consumer.close().then(() => (isClosed = true));
      await queue.add([{ delayMs: 60_000 }]);
      expect(isClosed).toBe(false);
      asking.resolve(false);
      await closed;
      expect(taken).toBe(0);
      expect(await queue.counts()).toEqual({ waiting: 1, delayed: 1, active: 0 });
    });

    it('gives each to one of several consumers', async () => {
      const received: string[] = [];
      await consume(() => void received.push('first'));
      await consume(() => void received.push('second'));
      for (let round = 1; round <= 20; round += 1) {
        await queue.add([{}]);
        await expect.poll(() => received).toHaveLength(round);
      }
      await expect.poll(() => queue.counts()).toEqual(empty);
      expect(received).toHaveLength(20);
    });

    it('closes when it is idle, and takes nothing after', async () => {
      let taken = 0;
      const consumer = await consume(() => void (taken += 1));
      await consumer.close();
      await queue.add([{}]);
      let takenByOther = 0;
      await consume(() => void (takenByOther += 1));
      await expect.poll(() => takenByOther).toBe(1);
      expect(taken).toBe(0);
    });
  });

  describe('the store', () => {
    it('remembers that it was kept', async () => {
      expect(await driver.wasKept()).toBe(false);
      expect(await driver.wasKept()).toBe(true);
    });

    it('loses everything on clear(), and works on', async () => {
      await queue.add([{}, { delayMs: 60_000 }]);
      await queue.clear();
      expect(await queue.counts()).toEqual(empty);
      const received = await collect();
      await queue.add([{}]);
      await expect.poll(() => received).toHaveLength(1);
    });

    it('answers a ping until it is closed, and closes twice', async () => {
      await driver.ping();
      await Promise.all([driver.close(), driver.close()]);
      await expect(driver.ping()).rejects.toMatchObject({ code: 'MILLRACE_QUEUE_UNAVAILABLE' });
      await expect(queue.add([{}])).rejects.toMatchObject({ code: 'MILLRACE_QUEUE_UNAVAILABLE' });
    });
  });
}
