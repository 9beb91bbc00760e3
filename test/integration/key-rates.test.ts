import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newKeySchema, rotatedKeySchema } from '../../src/capabilities/access/key-administration.ts';
import { defaultRequestLimits, RequestLimits } from '../../src/host/http/request-limits.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Requests a minute: of every key at a route, and in all of one with a limit of its own. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let admin: string;
const clock = new ManualClock();
const refused: string[] = [];

beforeAll(async () => {
  fixture = await openApiFixture();
  admin = await fixture.newKey(['admin']);
  const limits = new RequestLimits({ ...defaultRequestLimits, requestsPerMinute: 5 }, clock);
  app = await startApi(fixture.services(), { limits, onRefused: (reason) => refused.push(reason) });
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const get = (path: string, key: string) =>
  requestTo(app)
    .get(path)
    .set({ authorization: `Bearer ${key}` });
const post = (path: string, key: string, body: object) =>
  requestTo(app)
    .post(path)
    .set({ authorization: `Bearer ${key}` })
    .send(body);

describe('the rate of a key', () => {
  it('is refused beyond its requests at a route, with what is left in the fields of the draft, and is whole in the next minute', async () => {
    const key = await fixture.newKey(['messages:read']);
    for (let left = 4; left >= 0; left -= 1) {
      const { statusCode, headers } = await get('/v1/pauses', key);
      expect(statusCode).toBe(200);
      expect(headers).toMatchObject({
        'ratelimit-policy': '"key";q=5;w=60',
        ratelimit: `"key";r=${left};t=60`,
      });
    }
    clock.advance(20_000);
    const response = await get('/v1/pauses', key);
    expect(problemOf(response)).toMatchObject({
      status: 429,
      code: 'MILLRACE_RATE_LIMITED',
      retryable: true,
    });
    expect(response.headers).toMatchObject({ ratelimit: '"key";r=0;t=40', 'retry-after': '40' });
    expect(refused).toContain('rate');
    expect((await get('/v1/messages', key)).statusCode).toBe(200);
    clock.advance(40_000);
    expect((await get('/v1/pauses', key)).statusCode).toBe(200);
  });

  it('is its own over all routes where it has one, which no key that it makes exceeds', async () => {
    clock.advance(60_000);
    const made = await post('/v1/keys', admin, {
      name: 'slow',
      scopes: ['messages:read', 'keys:write'],
      requestsPerMinute: 3,
      expiresAt: '2999-01-01T00:00:00Z',
    });
    const { key, id, expiresAt } = newKeySchema.strict().parse(made.body);
    expect(expiresAt).toBe('2999-01-01T00:00:00.000Z');
    expect((await get('/v1/pauses', key)).headers).toMatchObject({
      'ratelimit-policy': '"key";q=5;w=60, "key-total";q=3;w=60',
      ratelimit: '"key";r=4;t=60, "key-total";r=2;t=60',
    });
    const wanted = { name: 'x', scopes: ['messages:read'] };
    expect(problemOf(await post('/v1/keys', key, { ...wanted, requestsPerMinute: 4 })).status).toBe(403);
    const own = newKeySchema.parse((await post('/v1/keys', key, wanted)).body);
    expect(own.requestsPerMinute).toBe(3);
    const response = await get('/v1/messages', key);
    expect(problemOf(response)).toMatchObject({ status: 429, code: 'MILLRACE_RATE_LIMITED' });
    expect(response.headers['retry-after']).toBe('60');
    clock.advance(60_000);
    const rotated = await post(`/v1/keys/${id}/rotate`, admin, { overlapSeconds: 0, reason: 'leaked' });
    expect(rotated.statusCode, rotated.text).toBe(201);
    expect(rotated.headers['cache-control']).toBe('no-store');
    const next = rotatedKeySchema.strict().parse(rotated.body);
    expect(next).toMatchObject({ name: 'slow', requestsPerMinute: 3, replaces: id });
    expect((await get('/v1/pauses', key)).statusCode).toBe(401);
    expect((await get('/v1/pauses', next.key)).statusCode).toBe(200);
  });

  it('and other rights are not widened by replacing a key', async () => {
    clock.advance(60_000);
    const maker = await fixture.newKey(['keys:write'], 'support');
    const wide = newKeySchema.parse((await post('/v1/keys', admin, { name: 'w', scopes: ['admin'] })).body);
    const wider = newKeySchema.parse(
      (await post('/v1/keys', admin, { name: 'w', scopes: ['admin'], team: 'support' })).body,
    );
    expect(problemOf(await post(`/v1/keys/${wide.id}/rotate`, maker, {})).status).toBe(404);
    expect(problemOf(await post(`/v1/keys/${wider.id}/rotate`, maker, {})).status).toBe(403);
    clock.advance(60_000);
    for (const body of [
      { overlapSeconds: -1 },
      { overlapSeconds: 1.5 },
      { overlapSeconds: 2_592_001 },
      { expiresAt: '2020-01-01T00:00:00Z' },
      { expiresAt: '2999-01-01' },
      { key: 'mr_x' },
    ]) {
      clock.advance(60_000);
      expect(
        problemOf(await post(`/v1/keys/${wide.id}/rotate`, admin, body)).status,
        JSON.stringify(body),
      ).toBe(400);
    }
    expect((await get('/v1/pauses', wide.key)).statusCode).toBe(200);
  });
});
