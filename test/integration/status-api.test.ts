import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statusPartsOf } from '../../src/host/host-status.ts';
import { statusSchemaOf } from '../../src/host/status-document.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';

/* The state of an installation over HTTP. What it says of waits is tested with the ledger. */

let fixture: ApiFixture;
let app: NestFastifyApplication;

beforeAll(async () => {
  fixture = await openApiFixture();
  app = await startApi(fixture.services());
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const get = (url: string, key?: string) =>
  app.inject({
    method: 'GET',
    url,
    ...(key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
  });

describe('the status over HTTP', () => {
  it.each([[['operations:read']], [['operations:write']], [['admin']]] as const)(
    'is shown to a key with %j',
    async (scopes) => {
      const response = await get('/v1/status', await fixture.newKey(scopes));
      expect(response.statusCode, response.body).toBe(200);
      expect(response.headers['cache-control']).toBe('no-store');
      const statusSchema = statusSchemaOf((await statusPartsOf()).map(({ schema }) => schema));
      expect(statusSchema.strict().parse(response.json())).toMatchObject({ waits: [], holds: [] });
    },
  );

  it('is not shown to others, nor to a key of one team', async () => {
    expect(problemOf(await get('/v1/status')).status).toBe(401);
    expect(problemOf(await get('/v1/status', await fixture.newKey(['messages:read']))).status).toBe(403);
    expect(problemOf(await get('/v1/status', await fixture.newKey(['admin'], 'support')))).toMatchObject({
      status: 403,
      detail: expect.stringContaining('support'),
    });
  });

  it('reads the ledger once, however many ask at once', async () => {
    const { read, asked } = countedStatus();
    const counted = await startApi(fixture.services({ status: read }));
    const authorization = `Bearer ${await fixture.newKey(['admin'])}`;
    const ask = () => counted.inject({ method: 'GET', url: '/v1/status', headers: { authorization } });
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
    expect(asked()).toBeLessThan(20);
    await counted.close();
  });
});

describe('/health', () => {
  it('answers as /health/ready does', async () => {
    const short = await get('/health');
    expect(short.statusCode).toBe(200);
    expect(short.json()).toEqual((await get('/health/ready')).json());
  });
});

function countedStatus() {
  let count = 0;
  const services = fixture.services()(undefined as never);
  return {
    asked: () => count,
    read: () => {
      count += 1;
      return services.status();
    },
  };
}
