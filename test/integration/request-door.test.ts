import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventIntake } from '../../src/capabilities/ingest/event-intake.ts';
import { readJsonBody } from '../../src/http/json-body.ts';
import {
  defaultRequestLimits,
  type RefusalReason,
  RequestLimits,
} from '../../src/host/http/request-limits.ts';
import { maxSharedScrapes } from '../../src/host/http/shared-metrics.ts';
import { listenHttp } from '../../src/host/http/server.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf, ticketEvent } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* What a request meets before anything of it is believed: key, place, rate, size and form of its body. */

const event = 'application/cloudevents+json';
const batch = 'application/cloudevents-batch+json';

const bounds = { maxDepth: 128, maxBytes: 10_000_000, maxValues: 100_000, maxKeys: 20_000 };

let fixture: ApiFixture;
let app: NestFastifyApplication;
let key: string;
const refused: RefusalReason[] = [];

beforeAll(async () => {
  fixture = await openApiFixture();
  key = await fixture.newKey(['admin']);
  app = await startApi(fixture.services(), {
    bodyLimitBytes: 2_000_000,
    onRefused: (reason) => refused.push(reason),
  });
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

const post = (payload: string | Buffer, contentType = event, headers: Record<string, string> = {}) =>
  requestTo(app)
    .post('/v1/messages')
    .set({ 'content-type': contentType, authorization: `Bearer ${key}`, ...headers })
    // Bytes as they are: by its content type Supertest would write a Buffer as JSON.
    .serialize((bytes: string) => bytes)
    .send(payload);

describe('the key', () => {
  it.each([
    ['/v1/messages', 401, 'MILLRACE_UNAUTHENTICATED'],
    ['/v1/nowhere', 404, 'MILLRACE_NOT_FOUND'],
  ] as const)('is looked at before the body is read: %s', async (path, status, code) => {
    const url = new URL(await listenHttp(app, { host: '127.0.0.1', port: 0 }).catch(() => app.getUrl()));
    const socket = connect(Number(url.port), '127.0.0.1');
    // Ten bytes of a body that is said to have a gigabyte: nothing more ever comes.
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${event}\r\ncontent-length: 1000000000\r\n\r\n{"data":[[`,
    );
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    await once(socket, 'close');
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain(code);
    expect(answer.toLowerCase()).toContain('connection: close');
  });
});

describe('what is no request yet', () => {
  it.each([
    [
      'headers that are too large',
      `GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-a: ${'a'.repeat(70_000)}\r\n\r\n`,
      431,
    ],
    [
      'a URL that is too large',
      `GET /v1/costs?team=${'a'.repeat(70_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
      431,
    ],
    ['no HTTP', 'hello\r\n\r\n', 400],
  ] as const)('%s: gets a problem document too', async (_, text, status) => {
    const url = new URL(await listenHttp(app, { host: '127.0.0.1', port: 0 }).catch(() => app.getUrl()));
    const socket = connect(Number(url.port), '127.0.0.1');
    socket.write(text);
    let answer = '';
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    await once(socket, 'close');
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain('content-type: application/problem+json');
    const [, body = ''] = answer.split('\r\n\r\n');
    expect(JSON.parse(body)).toMatchObject({ status, code: 'MILLRACE_REQUEST_INVALID' });
  });
});

describe('a body', () => {
  it.each([
    ['too deep', `${'['.repeat(5_000)}${']'.repeat(5_000)}`, /nested deeper than 128/],
    ['of too many values', `[${'[],'.repeat(200_000)}[]]`, /more than 100000 values/],
    [
      'of too many keys',
      `{"data":{${Array.from({ length: 21_000 }, (_, index) => `"k${index}":0`).join(',')}}}`,
      /more than 20000 members/,
    ],
    ['cut off', '{"specversion":"1.0"', /cannot be read as JSON/],
    ['that would change a prototype', '{"__proto__":{"a":1}}', /has a key "__proto__"/],
    ['that is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /not UTF-8/],
    ['that is empty', '', /cannot be read as JSON: it is empty/],
  ])('%s is refused with its reason', async (_, payload, reason) => {
    const response = await post(payload);
    expect(response.statusCode, response.text).toBe(400);
    expect(problemOf(response).detail).toMatch(reason);
  });

  it.each<[string, string, number, string, RegExp]>([
    [
      'data of objects and arrays',
      `{"type":"t","data":{"first":1,"a \\"b\\"":[0,{"x":"]},:"},${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}]}}`,
      422,
      'MILLRACE_MESSAGE_INVALID',
      /^data\.a "b"\.2(\.a)+\.?…?$/,
    ],
    [
      'data of arrays',
      `{"data":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      422,
      'MILLRACE_MESSAGE_INVALID',
      /^data(\.0)+\.?…?$/,
    ],
    [
      'an attribute',
      `{"data":{},"subject":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      400,
      'MILLRACE_REQUEST_INVALID',
      /^subject(\.0)+\.?…?$/,
    ],
    [
      'the whole',
      `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
      400,
      'MILLRACE_REQUEST_INVALID',
      /^0(\.0)+\.?…?$/,
    ],
  ])('with %s too deep is refused with the path', async (_, payload, status, code, path) => {
    const response = await post(payload);
    expect(response.statusCode, response.text).toBe(status);
    const problem = problemOf(response);
    expect(problem).toMatchObject({ code, detail: expect.stringMatching(/nested deeper than 128 levels/) });
    expect(problem.faults).toEqual([
      { field: expect.stringMatching(path), problem: 'is nested deeper than 128 levels' },
    ]);
  });

  it('with one event too deep is refused for that event alone', async () => {
    const deep = `{"data":{"subject":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`;
    const good = JSON.stringify(ticketEvent());
    const response = await requestTo(app)
      .post('/v1/messages')
      .set({ 'content-type': batch, authorization: `Bearer ${key}` })
      .send(
        `[${good.replace(/"id":"[^"]*"/, '"id":"deep-1"')},${deep},${good.replace(/"id":"[^"]*"/, '"id":"deep-2"')}]`,
      );
    expect(response.statusCode, response.text).toBe(207);
    expect(response.body).toMatchObject({
      results: [
        { outcome: 'admitted' },
        {
          outcome: 'refused',
          problem: {
            status: 422,
            code: 'MILLRACE_MESSAGE_INVALID',
            faults: [{ field: expect.stringMatching(/^data\.subject(\.0)+\.?…?$/) }],
          },
        },
        { outcome: 'admitted' },
      ],
    });
  });

  it('of one event has a limit of its own, alone and in a batch, whose other events are admitted', async () => {
    const limits = new RequestLimits({ ...defaultRequestLimits, eventBytes: 5_000 }, systemClock);
    const limited = await startApi(fixture.services(), { limits });
    const send = (payload: string, type: string) =>
      requestTo(limited)
        .post('/v1/messages')
        .set({ 'content-type': type, authorization: `Bearer ${key}` })
        .send(payload);
    const large = JSON.stringify(ticketEvent({ data: { subject: 'x'.repeat(5_000) } }));
    const alone = await send(large, event);
    expect([alone.statusCode, problemOf(alone).code]).toEqual([413, 'MILLRACE_REQUEST_TOO_LARGE']);
    const good = (): string => JSON.stringify(ticketEvent({ data: { subject: 'x'.repeat(3_000) } }));
    const together = await send(`[${good()},${large},${good()}]`, batch);
    expect(together.statusCode, together.text).toBe(207);
    expect(together.body).toMatchObject({
      results: [
        { outcome: 'admitted' },
        { outcome: 'refused', problem: { status: 413, code: 'MILLRACE_MESSAGE_TOO_LARGE' } },
        { outcome: 'admitted' },
      ],
    });
    await limited.close();
  });

  it('is admitted event by event when it is a batch, with turns for others in between', async () => {
    let turn = 0;
    let isDone = false;
    const count = (): void => {
      turn += 1;
      if (!isDone) setImmediate(count);
    };
    const turnsOfEvents: number[] = [];
    const services = fixture.services();
    const slowed = await startApi((logger) => {
      const { provided, ...others } = services(logger);
      const eventIntake = provided.get(EventIntake) as EventIntake;
      const admit: EventIntake['admit'] = (...parameters) => {
        turnsOfEvents.push(turn);
        // As long as the largest event takes.
        const began = performance.now();
        while (performance.now() - began < 10);
        return eventIntake.admit(...parameters);
      };
      return { ...others, provided: new Map([...provided, [EventIntake, { admit }]]) };
    });
    setImmediate(count);
    const response = await requestTo(slowed)
      .post('/v1/messages')
      .set({ 'content-type': batch, authorization: `Bearer ${key}` })
      .send(JSON.stringify(Array.from({ length: 10 }, () => ticketEvent())));
    isDone = true;
    expect(response.statusCode, response.text).toBe(202);
    expect(new Set(turnsOfEvents).size).toBe(10);
    await slowed.close();
  });

  it('in a content encoding is refused, however little it is', async () => {
    const response = await post(gzipSync(JSON.stringify(ticketEvent())), event, {
      'content-encoding': 'gzip',
    });
    expect([response.statusCode, problemOf(response).code]).toEqual([415, 'MILLRACE_MEDIA_TYPE_UNSUPPORTED']);
  });

  it('that is no message is small', async () => {
    const response = await requestTo(app)
      .post('/v1/dead-letters/discard')
      .set({ 'content-type': 'application/json', authorization: `Bearer ${key}` })
      .send(JSON.stringify({ reason: 'x'.repeat(300_000), filter: {} }));
    expect([response.statusCode, problemOf(response).code]).toEqual([413, 'MILLRACE_REQUEST_TOO_LARGE']);
  });

  it('is a batch whose unreadable events leave the others alone', async () => {
    const good = (): string => JSON.stringify(ticketEvent());
    const bad = ['{"__proto__":{}}', '{"a":}', '['.repeat(200) + ']'.repeat(200), ''];
    const response = await post(`[${good()},${bad.join(',')} , ${good()}]`, batch);
    expect(response.statusCode, response.text).toBe(207);
    expect(response.body).toMatchObject({ admitted: 2, refused: 4 });
    expect(response.body.results.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      'admitted',
      'refused',
      'refused',
      'refused',
      'refused',
      'admitted',
    ]);
  });

  it.each(['[{"a":1}}', '[{"a":1}', '[{"a":1}] x', '[{"a":1}][]'])(
    'is no batch when its array does not end: %s',
    async (text) => {
      expect((await post(text, batch)).statusCode).toBe(400);
    },
  );

  it('lets others have their turn while it is read', async () => {
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const bytes = Buffer.from(`[${'[[],[]],'.repeat(500_000)}[]]`);
    const reading = readJsonBody(bytes, { ...bounds, parse: JSON.parse });
    await expect(reading).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    isDone = true;
    expect(turns).toBeGreaterThan(10);
  });
});

describe('what there is of the API', () => {
  it('is so many requests of a key in a minute, and the answers say what is left', async () => {
    const limits = new RequestLimits({ ...defaultRequestLimits, requestsPerMinute: 2 }, systemClock);
    const limited = await startApi(fixture.services(), { limits });
    const ask = (holder: string) =>
      requestTo(limited).get('/v1/budgets').set('authorization', `Bearer ${holder}`);
    const answers = [await ask(key), await ask(key), await ask(key)];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 429]);
    expect(answers[0]?.headers).toMatchObject({
      'ratelimit-policy': '"key";q=2;w=60',
      ratelimit: expect.stringMatching(/^"key";r=1;t=\d+$/),
    });
    expect(problemOf(answers[2] ?? (await ask(key)))).toMatchObject({
      code: 'MILLRACE_RATE_LIMITED',
      retryable: true,
    });
    expect(Number(answers[2]?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask(await fixture.newKey(['costs:read']))).statusCode).toBe(200);
    await limited.close();
  });

  it('is so many requests at once; health and metrics answer all the same', async () => {
    const reasons: RefusalReason[] = [];
    const limits = new RequestLimits({ ...defaultRequestLimits, concurrentRequests: 1 }, systemClock);
    const limited = await startApi(fixture.services(), {
      limits,
      onRefused: (reason) => reasons.push(reason),
    });
    const leave = limits.tryToEnter();
    const full = await requestTo(limited).get('/v1/budgets').set('authorization', `Bearer ${key}`);
    expect([full.statusCode, full.headers['retry-after'], problemOf(full).code]).toEqual([
      503,
      '1',
      'MILLRACE_OVERLOADED',
    ]);
    expect((await requestTo(limited).get('/health/live')).statusCode).toBe(200);
    expect((await requestTo(limited).get('/metrics')).statusCode).toBe(200);
    leave?.();
    for (const _ of [1, 2, 3]) {
      const free = await requestTo(limited).get('/v1/budgets').set('authorization', `Bearer ${key}`);
      expect(free.statusCode).toBe(200);
    }
    expect(reasons).toEqual(['concurrency']);
    await limited.close();
  });

  it('is so many bytes of bodies at once, which are given back with the answers', async () => {
    const limits = new RequestLimits({ ...defaultRequestLimits, bodyBytesInFlight: 1_000 }, systemClock);
    const limited = await startApi(fixture.services(), { limits });
    const send = (size: number) =>
      requestTo(limited)
        .post('/v1/messages')
        .set({ 'content-type': event, authorization: `Bearer ${key}` })
        .send(JSON.stringify(ticketEvent({ data: { subject: 'x'.repeat(size) } })));
    const tooMuch = await send(1_000);
    expect([tooMuch.statusCode, problemOf(tooMuch).code]).toEqual([503, 'MILLRACE_OVERLOADED']);
    for (const _ of [1, 2, 3, 4]) expect((await send(300)).statusCode).toBe(202);
    await limited.close();
  });

  it('is one exposition for the scrapes that come together, of which there are so many', async () => {
    let renderings = 0;
    const rendered = Promise.withResolvers<{ contentType: string; body: string }>();
    const render = () => {
      renderings += 1;
      return rendered.promise;
    };
    const scraped = await startApi(fixture.services({ metrics: { render } }));
    // Without connections, which need not be read in the order in which they were made.
    const scrapes = Array.from({ length: 50 }, () => scraped.inject({ url: '/metrics' }));
    const all = Promise.all(scrapes);
    const refusals = Promise.all(scrapes.slice(maxSharedScrapes));
    for (const refusal of await refusals) {
      expect([refusal.statusCode, refusal.headers['retry-after']]).toEqual([503, '1']);
      expect(problemOf(refusal).code).toBe('MILLRACE_OVERLOADED');
    }
    rendered.resolve({ contentType: 'text/plain', body: 'up 1\n' });
    const answers = (await all).slice(0, maxSharedScrapes);
    expect(answers.map(({ body }) => body)).toEqual(Array(maxSharedScrapes).fill('up 1\n'));
    expect(renderings).toBe(1);
    await scraped.close();
  });
});

it('tells what was refused', () => {
  expect(refused).toContain('unauthenticated');
});
