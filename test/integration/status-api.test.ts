import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statusPartsOf } from '../../src/host/host-status.ts';
import { statusSchemaOf } from '../../src/host/status-document.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

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
  requestTo(app)
    .get(url)
    .set(key === undefined ? {} : { authorization: `Bearer ${key}` });

describe('the status over HTTP', () => {
  it.each([[['operations:read']], [['operations:write']], [['admin']]] as const)(
    'is shown to a key with %j',
    async (scopes) => {
      const response = await get('/v1/status', await fixture.newKey(scopes));
      expect(response.statusCode, response.text).toBe(200);
      expect(response.headers['cache-control']).toBe('no-store');
      const statusSchema = statusSchemaOf((await statusPartsOf()).map(({ schema }) => schema));
      expect(statusSchema.strict().parse(response.body)).toMatchObject({ waits: [], pauses: [] });
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
    const { read, asked, release } = countedStatus();
    const counted = await startApi(fixture.services({ status: read }));
    const authorization = `Bearer ${await fixture.newKey(['admin'])}`;
    // Without connections, so that all of them are there before the first is answered.
    const ask = () => counted.inject({ method: 'GET', url: '/v1/status', headers: { authorization } });
    const asking = Array.from({ length: 20 }, ask);
    await expect.poll(asked).toBeGreaterThan(0);
    // The first one's answer is under way. Each of these is a turn of the ledger, in which the others' keys are looked up meanwhile.
    for (let turn = 0; turn < 40; turn += 1) await fixture.countMessages();
    release();
    const answers = await Promise.all(asking);
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
    expect(asked()).toBeLessThan(20);
    await counted.close();
  });
});

describe('/health', () => {
  it('answers as /health/ready does', async () => {
    const short = await get('/health');
    expect(short.statusCode).toBe(200);
    expect(short.body).toEqual((await get('/health/ready')).body);
  });
});

/** The status, which is read when it is released. */
function countedStatus() {
  let count = 0;
  const released = Promise.withResolvers<void>();
  const services = fixture.services()(undefined as never);
  return {
    asked: () => count,
    release: () => released.resolve(),
    read: async () => {
      count += 1;
      await released.promise;
      return services.status();
    },
  };
}
