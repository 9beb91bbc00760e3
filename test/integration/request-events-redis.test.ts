import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';
import { openStoryHost, type StoryHost, WrittenModel } from '../support/story-host.ts';
import { requestTo } from './request-to.ts';

/* The events of requests in production: an API process, another one, and a worker, over PostgreSQL and Redis. */

describe.skipIf(!canRun(redisPrograms()) || !canRun(postgresPrograms()))(
  'events over several processes',
  () => {
    let redis: RedisServer;
    let worker: StoryHost;
    let apis: StoryHost[] = [];
    let key: string;
    const model = new WrittenModel();
    beforeAll(async () => {
      redis = await RedisServer.start();
      const url = await newLedger();
      const open = async (
        roles: ('api' | 'worker' | 'maintenance')[],
        dataDirectory: string,
      ): Promise<StoryHost> =>
        await openStoryHost(
          {
            dataDirectory,
            roles,
            ledger: { url },
            queue: { url: redis.url, prefix: 'stories' },
            columnStore: { url: 'http://127.0.0.1:9' },
          },
          { model },
        );
      worker = await open(['worker', 'maintenance', 'api'], await newHostDirectory('mr-stories-a-'));
      apis = await Promise.all(
        ['b', 'c'].map(async (name) => await open(['api'], await newHostDirectory(`mr-stories-${name}-`))),
      );
      key = await worker.newKey(['requests:read', 'requests:write'], { team: 'blue' });
    });
    afterAll(async () => {
      for (const host of apis) await host.close();
      await worker.close();
      await redis.stop();
    });

    let topics = 0;
    async function submit(): Promise<{ readonly id: string; readonly topic: string }> {
      const topic = `far-topic-${(topics += 1)}.`;
      const { body, status, text } = await requestTo(String(apis[0]?.url))
        .post('/v1/pipelines/stories/requests')
        .set('authorization', `Bearer ${key}`)
        .send({ data: { about: topic }, origin: { customer: 'acme', feature: 'tales' } });
      expect(status, text).toBe(202);
      await expect.poll(() => model.about(topic)).toBeDefined();
      return { id: (body as { id: string }).id, topic };
    }

    /** A reader of one API process. */
    function read(url: string, id: string, after = 0) {
      const events: { id: number; kind: string; data: Record<string, unknown> }[] = [];
      const stop = new AbortController();
      const ended = (async () => {
        const response = await fetch(`${url}/v1/requests/${id}/events?after=${after}`, {
          headers: { authorization: `Bearer ${key}` },
          signal: stop.signal,
        });
        expect(response.status).toBe(200);
        const parser = createParser({
          onEvent: ({ id: eventId, event, data }) =>
            void events.push({
              id: Number(eventId),
              kind: event ?? '',
              data: JSON.parse(data) as Record<string, unknown>,
            }),
        });
        const decoder = new TextDecoder();
        for await (const bytes of response.body ?? []) parser.feed(decoder.decode(bytes, { stream: true }));
      })();
      ended.catch(() => undefined);
      return {
        events,
        ended,
        leave: () => stop.abort(),
        text: () =>
          events
            .filter(({ kind }) => kind === 'text-delta')
            .map(({ data }) => String(data['text']))
            .join(''),
      };
    }

    it('come from the worker to readers of any API process, who may change it in the middle', async () => {
      const [one, other] = apis.map(({ url }) => url);
      const { id, topic } = await submit();
      const first = read(String(one), id);
      model.about(topic)?.write('Once ');
      await expect.poll(() => first.text()).toBe('Once ');
      first.leave();
      model.about(topic)?.write('upon ');
      const last = first.events.at(-1)?.id ?? 0;
      const second = read(String(other), id, last);
      await expect.poll(() => second.text()).toBe('upon ');
      model.about(topic)?.write('a time.');
      model.about(topic)?.finish();
      await second.ended;
      expect(first.text() + second.text()).toBe('Once upon a time.');
      const ids = [...first.events, ...second.events].map((event) => event.id);
      expect(ids).toEqual([...new Set(ids)].toSorted((left, right) => left - right));
      expect(second.events.at(-1)).toMatchObject({
        kind: 'completed',
        data: { request: { result: { text: 'Once upon a time.' } } },
      });
    });

    it('are told to be lost after a FLUSHALL, under higher ids, and the result still comes', async () => {
      const { id, topic } = await submit();
      const reader = read(String(apis[0]?.url), id);
      model.about(topic)?.write('One, ');
      await expect.poll(() => reader.text()).toBe('One, ');
      await redis.flushAll();
      model.about(topic)?.write('two, ');
      await expect.poll(() => reader.text()).toBe('One, two, ');
      await redis.flushAll();
      const late = read(String(apis[1]?.url), id);
      model.about(topic)?.write('three.');
      await expect.poll(() => reader.text()).toBe('One, two, three.');
      await redis.flushAll();
      model.about(topic)?.finish();
      await Promise.all([reader.ended, late.ended]);
      expect(reader.events.filter(({ kind }) => kind === 'events-lost').length).toBeGreaterThan(0);
      expect(late.events.filter(({ kind }) => kind === 'events-lost').length).toBeGreaterThan(0);
      for (const { events } of [reader, late]) {
        const ids = events.map((event) => event.id);
        expect(ids).toEqual([...new Set(ids)].toSorted((left, right) => left - right));
        expect(events.at(-1)).toMatchObject({
          kind: 'completed',
          data: { request: { result: { text: 'One, two, three.' } } },
        });
      }
    });

    it('are missing while Redis is away, and neither call nor result is', async () => {
      const { id, topic } = await submit();
      const reader = read(String(apis[0]?.url), id);
      model.about(topic)?.write('Before. ');
      await expect.poll(() => reader.text()).toBe('Before. ');
      await redis.pause();
      model.about(topic)?.write('During. ');
      model.about(topic)?.finish();
      await reader.ended;
      expect(reader.events.at(-1)).toMatchObject({
        kind: 'completed',
        data: { request: { result: { text: 'Before. During. ' } } },
      });
      await redis.restart();
    });
  },
);
