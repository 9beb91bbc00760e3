import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { postgresPrograms, redisPrograms, canRun } from '../support/required-programs.ts';
import { startWorkerHosts, type WorkerHosts } from '../support/worker-hosts.ts';

/* A message that its own process begins without a claim runs by itself, not as a part of what admitted it. */

const Asked = defineMessage('handed.asked').version(1, z.object({ customer: z.string() }));
const request = new AsyncLocalStorage<string>();
const canRunHere = canRun(postgresPrograms()) && canRun(redisPrograms());

describe.skipIf(!canRunHere)('the run of a message', { timeout: 60_000 }, () => {
  let workers: WorkerHosts | undefined;
  afterEach(() => workers?.close());

  async function start(handle: (message: { data: { customer: string } }) => unknown, concurrency: number) {
    const definition = defineStage('handed', { consumes: Asked.upTo(1), concurrency });
    workers = await startWorkerHosts(
      1,
      [{ definition, handler: { handle } } as unknown as RegisteredStage],
      {},
    );
    const [host] = workers.hosts;
    if (host === undefined) throw new Error('a host was started');
    return (customer: string) =>
      host.admissions.admit(Asked.v1, { customer }, { origin: { team: 't', customer, feature: 'f' } });
  }

  it('is not in the async context of whoever admitted it, or another', async () => {
    const contexts: (string | undefined)[] = [];
    const admit = await start(async () => {
      await Promise.resolve();
      contexts.push(request.getStore());
    }, 4);
    await admit('first');
    await expect.poll(() => contexts.length, { timeout: 20_000 }).toBe(1);
    const customers = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
    await Promise.all(customers.map((one) => request.run(`request of ${one}`, () => admit(one))));
    await expect.poll(() => contexts.length, { timeout: 20_000 }).toBe(1 + customers.length);
    expect(contexts.filter((context) => context !== undefined)).toEqual([]);
  });

  it('begins when those who admitted have been answered', async () => {
    const events: string[] = [];
    const admit = await start(() => void events.push('begun'), 8);
    // The first look at an empty stage is over.
    await admit('first');
    await expect.poll(() => events.length, { timeout: 20_000 }).toBe(1);
    events.length = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        await admit(`customer ${n}`);
        // The way of an answer to its socket, without I/O.
        for (let hop = 0; hop < 300; hop += 1) await Promise.resolve();
        events.push('answered');
      }),
    );
    await expect.poll(() => events.length, { timeout: 20_000 }).toBe(16);
    expect(events.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 'answered'));
  });
});
