import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Readiness, type ReadinessCheck } from '../../src/host/http/readiness.ts';
import { listenHttp } from '../../src/host/http/server.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { isUuid } from '../../src/kernel/ids.ts';
import { LogLines, startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf, ticketEvent } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* What surrounds the API: health, metrics, headers, errors, logs, the OpenAPI document, listening and closing. */

type Rendered = Promise<{ contentType: string; body: string }>;

let fixture: ApiFixture;
let app: NestFastifyApplication;
let writeKey: string;
const lines = new LogLines();
let checks: ReadinessCheck[] = [];
let render: () => Rendered;
const metrics = { render: () => render() };

beforeAll(async () => {
  fixture = await openApiFixture();
  writeKey = await fixture.newKey(['messages:write']);
  const readiness = new Readiness({
    clock: systemClock,
    timeoutMs: 50,
    // The list is looked at when it is asked, so that a test can break a store.
    get checks() {
      return checks;
    },
  });
  app = await startApi(fixture.services({ readiness, metrics }), { lines });
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

beforeEach(() => {
  checks = [];
  render = () =>
    Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'millrace_up 1\n' });
});

const post = (query: string, headers: Record<string, string> = {}) =>
  requestTo(app)
    .post(`/v1/messages${query}`)
    .set({
      'content-type': 'application/cloudevents+json',
      authorization: `Bearer ${writeKey}`,
      ...headers,
    })
    .send(JSON.stringify(ticketEvent()));

describe('health', () => {
  const check = (name: string, isRequired: boolean, ping: () => Promise<void>): ReadinessCheck => ({
    name,
    isRequired,
    ping,
  });
  const up = (): Promise<void> => Promise.resolve();
  const down = (): Promise<void> =>
    Promise.reject(new AppError('MILLRACE_COLUMN_STORE_UNAVAILABLE', 'no route to secret-host'));
  const ready = () => requestTo(app).get('/health/ready');

  it('is live as long as the process answers', async () => {
    const response = await requestTo(app).get('/health/live');
    expect([response.statusCode, response.body]).toEqual([200, { status: 'live' }]);
  });

  it('is ready while every store answers', async () => {
    checks = [check('ledger', true, () => fixture.database.ping()), check('column_store', false, up)];
    const response = await ready();
    expect(response.statusCode).toBe(200);
    expect(response.body).toMatchObject({
      status: 'ready',
      checks: { ledger: { status: 'up', required: true }, column_store: { status: 'up', required: false } },
    });
  });

  it('is degraded, and keeps its traffic, while a store is away that it can do without', async () => {
    checks = [check('ledger', true, up), check('column_store', false, down)];
    const response = await ready();
    expect(response.statusCode).toBe(200);
    expect(response.body).toMatchObject({
      status: 'degraded',
      checks: { column_store: { status: 'down', code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE' } },
    });
    expect(response.text).not.toContain('secret-host');
  });

  it('is not ready while a store is away that it needs', async () => {
    checks = [check('ledger', true, down), check('queue', true, up)];
    const response = await ready();
    expect([response.statusCode, response.body.status]).toEqual([503, 'not_ready']);
  });

  it('does not wait for a store that hangs', async () => {
    checks = [check('queue', true, () => new Promise(() => undefined))];
    const response = await ready();
    expect(response.statusCode).toBe(503);
    expect(response.body).toMatchObject({ checks: { queue: { status: 'down', code: 'TIMEOUT' } } });
  });
});

describe('every answer', () => {
  it('carries the id of its request: the given one, or a new one', async () => {
    const idFor = async (given?: string) =>
      (
        await requestTo(app)
          .get('/health/live')
          .set(given === undefined ? {} : { 'x-request-id': given })
      ).headers['x-request-id'];
    expect(await idFor('abc-123')).toBe('abc-123');
    for (const bad of [undefined, 'x'.repeat(129), 'with space', '<script>']) {
      expect(isUuid(String(await idFor(bad))), bad).toBe(true);
    }
  });

  it.each(['/health/live', '/nowhere', '/v1/costs', '/%zz', '/docs'])(
    'keeps browsers in check: %s',
    async (url) => {
      const { headers } = await requestTo(app).get(url);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      });
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'/);
    },
  );

  it.each([
    ['get', '/nowhere?customer=acme', 404, 'MILLRACE_NOT_FOUND', '/nowhere'],
    ['delete', '/v1/messages', 404, 'MILLRACE_NOT_FOUND', '/v1/messages'],
    ['get', '/%zz', 400, 'MILLRACE_REQUEST_INVALID', '/%zz'],
  ] as const)('is a problem document for %s %s', async (method, url, status, code, instance) => {
    const response = await requestTo(app)[method](url);
    expect(response.statusCode).toBe(status);
    expect(problemOf(response)).toMatchObject({ code, instance, status });
  });

  it('says nothing about what went wrong inside; the log does, once', async () => {
    render = () => Promise.reject(new TypeError('inner detail'));
    const response = await requestTo(app).get('/metrics').set({ 'x-request-id': 'failing-1' });
    expect(response.statusCode).toBe(500);
    expect(problemOf(response)).toMatchObject({ code: 'MILLRACE_INTERNAL', retryable: false });
    expect(response.text).not.toContain('inner detail');
    const logged = lines.parsed.filter((line) => JSON.stringify(line).includes('inner detail'));
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({
      level: 'error',
      requestId: 'failing-1',
      error: { name: 'TypeError', message: 'inner detail' },
    });
  });
});

describe('the log', () => {
  it('has a line for each request, without keys, queries or payloads', async () => {
    await post('?token=in-the-query', { 'x-request-id': 'logged-1' });
    const line = lines.parsed.find(
      (entry) => entry['requestId'] === 'logged-1' && entry['message'] === 'request answered',
    );
    expect(line).toMatchObject({
      level: 'info',
      req: { method: 'POST', path: '/v1/messages' },
      res: { statusCode: 202 },
      durationMs: expect.any(Number),
    });
    expect(lines.text).not.toMatch(/confidential-subject|in-the-query|mr_[0-9A-Za-z]{20}/);
    await requestTo(app).get('/health/live');
    const answered = lines.parsed.filter((entry) => entry['message'] === 'request answered');
    expect(JSON.stringify(answered)).not.toContain('/health/live');
  });
});

describe('without authentication', () => {
  it('serves this machine only', async () => {
    const open = await startApi(fixture.services({ authentication: 'none' }));
    const [id] = (await post('')).body.messageIds as [string];
    const url = `/v1/messages/${id}`;
    // Without a connection, which would come from this machine.
    const status = async (host: string, remoteAddress: string) =>
      (await open.inject({ url, headers: { host }, remoteAddress })).statusCode;
    expect(await status('localhost:8080', '127.0.0.1')).toBe(200);
    expect(await status('[::1]:8080', '::1')).toBe(200);
    expect(await status('127.0.0.1', '::ffff:127.0.0.1')).toBe(200);
    expect(await status('localhost:8080', '192.168.1.7')).toBe(403);
    expect(await status('rebound.example:8080', '127.0.0.1')).toBe(403);
    await expect(listenHttp(open, { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
      code: 'MILLRACE_CONFIG_INVALID',
    });
    await open.close();
  });
});

describe('the server', () => {
  it('listens, says where, and names an address that is taken', async () => {
    const first = await startApi(fixture.services());
    const url = await listenHttp(first, { host: '127.0.0.1', port: 0 });
    expect((await requestTo(url).get('/health/live')).body).toEqual({ status: 'live' });
    const second = await startApi(fixture.services());
    const port = Number(new URL(url).port);
    await expect(listenHttp(second, { host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'MILLRACE_HTTP_ADDRESS_UNAVAILABLE',
    });
    await Promise.all([first.close(), second.close()]);
  });

  it('answers the requests in hand before it closes', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<{ contentType: string; body: string }>();
    render = () => {
      asked.resolve();
      return answer.promise;
    };
    const server = await startApi(fixture.services({ metrics }));
    const url = await listenHttp(server, { host: '127.0.0.1', port: 0 });
    const text = requestTo(url)
      .get('/metrics')
      .then((response) => response.text);
    await asked.promise;
    let isClosed = false;
    const closing = server.close().then(() => {
      isClosed = true;
    });
    // Whether it is refused a connection or answered 503, it is not served.
    const late = await requestTo(url)
      .get('/health/live')
      .then(
        ({ status }) => status,
        () => 503,
      );
    expect(late).toBe(503);
    expect(isClosed).toBe(false);
    answer.resolve({ contentType: 'text/plain', body: 'the last words' });
    expect(await text).toBe('the last words');
    await closing;
  });

  it('closes on a request that never ends after its time of grace', async () => {
    const asked = Promise.withResolvers<void>();
    render = () => {
      asked.resolve();
      return new Promise(() => undefined);
    };
    const server = await startApi(fixture.services({ metrics }), { closeGraceMs: 100 });
    const url = await listenHttp(server, { host: '127.0.0.1', port: 0 });
    const response = requestTo(url)
      .get('/metrics')
      .then(
        () => 'answered',
        () => 'cut off',
      );
    await asked.promise;
    await server.close();
    expect(await response).toBe('cut off');
  });
});
