import { expect, it } from 'vitest';
import { capabilities } from '../../src/host/capabilities.ts';
import { type HttpServices, partsOf } from '../../src/host/http/http-api.module.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import { version } from '../../src/host/version.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { startApi } from '../integration/api-application.ts';
import { requestTo } from '../integration/request-to.ts';

/*
 * The committed OpenAPI document is the one that the API serves. Its routes come from decorators, which Node's own type
 * stripping cannot run, so this test writes it: `npx vitest run test/repository/openapi-document.test.ts --update`.
 */

// Nothing is asked of the stores: the document follows from the routes alone.
const parts = await partsOf(capabilities);
const services = (logger: HttpServices['logger']): HttpServices => ({
  provided: new Map(parts.flatMap((part) => part.services.map((token) => [token, {}]))),
  status: () => Promise.reject(new Error('no status is asked for here')),
  readiness: new Readiness({ checks: [], clock: systemClock }),
  metrics: { render: () => Promise.resolve({ contentType: 'text/plain', body: '' }) },
  logger,
  clock: systemClock,
  authentication: 'keys',
});

it('docs/openapi.json is what the API serves', async () => {
  const app = await startApi(services, { version });
  try {
    const { statusCode, body } = await requestTo(app).get('/openapi.json');
    expect(statusCode).toBe(200);
    const text = `${JSON.stringify(body, undefined, 2)}\n`;
    await expect(text).toMatchFileSnapshot('../../docs/openapi.json');
  } finally {
    await app.close();
  }
});
