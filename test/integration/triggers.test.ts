import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createMillraceApp,
  defineMessage,
  definePipeline,
  defineStage,
  defineTrigger,
  type MessageOf,
  Stage,
  type StageHandler,
} from '../../src/millrace.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, redisPrograms } from '../support/required-programs.ts';

const Created = defineMessage('ticket.created').version(
  1,
  z.object({ customer: z.string(), number: z.int() }),
);
const tickets = defineTrigger('tickets', {
  message: Created.v1,
  origin: { team: { fixed: 'support' }, customer: { payload: 'customer' }, feature: { fixed: 'triage' } },
  orderBy: 'key',
});
const pipeline = definePipeline('tickets', {
  input: Created.v1,
  stages: ['triage'],
  triggers: [tickets],
});
// It says nothing of an order itself.
const triage = defineStage('triage', { pipeline, consumes: Created.v1, concurrency: 8 });
const handled: string[] = [];

@Stage(triage)
class Triage implements StageHandler<{ customer: string; number: number }> {
  async handle({ data }: MessageOf<typeof triage>): Promise<void> {
    // Others of the key could overtake it here.
    await new Promise((resolve) => setImmediate(resolve));
    handled.push(`${data.customer} ${data.number}`);
  }
}

describe.skipIf(!canRun(redisPrograms()))('a host with triggers', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('works on events of a stream in the order of their keys, and on those of its own process', async () => {
    const app = await createMillraceApp({
      providers: [Triage],
      http: false,
      signals: false,
      progress: false,
      config: {
        dataDirectory: await newHostDirectory('millrace-triggers-'),
        logging: { level: 'silent' },
        triggers: {
          sources: {
            tickets: {
              kind: 'redis',
              url: server.url,
              stream: 'tickets',
              payloadField: 'payload',
              keyField: 'key',
            },
          },
        },
      },
    });
    try {
      for (let number = 1; number <= 20; number += 1) {
        const customer = number % 2 === 0 ? 'acme' : 'zeta';
        await redis.xadd('tickets', '*', 'key', customer, 'payload', JSON.stringify({ customer, number }));
      }
      await expect.poll(() => handled.length).toBe(20);
      for (const customer of ['acme', 'zeta']) {
        const numbers = handled
          .filter((one) => one.startsWith(customer))
          .map((one) => Number(one.slice(customer.length)));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
      await expect
        .poll(async () => await redis.xpending('tickets', 'millrace'))
        .toEqual([0, null, null, null]);
      const service = app.millrace.triggers;
      const event = { payload: JSON.stringify({ customer: 'acme', number: 99 }), key: 'acme', id: 'one' };
      expect(await service.send('tickets', event)).toBe('admitted');
      expect(await service.send('tickets', event)).toBe('duplicate');
      expect(await service.send('tickets', { payload: 'no JSON', key: 'acme' })).toBe('unreadable');
      await expect(service.send('none', event)).rejects.toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
      await expect.poll(() => handled.filter((one) => one === 'acme 99')).toEqual(['acme 99']);
    } finally {
      await app.close();
    }
  });
});
