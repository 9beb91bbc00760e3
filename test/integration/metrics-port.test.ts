import { expect, it } from 'vitest';
import { listenForMetrics } from '../../src/host/http/metrics-server.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { requestTo } from './request-to.ts';

it('serves metrics and health, and nothing else, on a port of their own', async () => {
  let renderings = 0;
  const metrics = {
    render: () => {
      renderings += 1;
      return Promise.resolve({ contentType: 'text/plain', body: 'up 1\n' });
    },
  };
  const readiness = new Readiness({ checks: [], clock: systemClock });
  const server = await listenForMetrics({ host: '127.0.0.1', port: 0, metrics, readiness });
  const client = requestTo(`http://127.0.0.1:${server.port}`);
  expect((await client.get('/metrics')).text).toBe('up 1\n');
  expect(renderings).toBe(1);
  expect((await client.get('/health/live')).body).toEqual({ status: 'live' });
  expect((await client.get('/health/ready')).status).toBe(200);
  readiness.beginStop();
  expect((await client.get('/health/ready')).status).toBe(503);
  expect([(await client.get('/v1/costs')).status, (await client.post('/metrics')).status]).toEqual([
    404, 405,
  ]);
  await expect(
    listenForMetrics({ host: '127.0.0.1', port: server.port, metrics, readiness }),
  ).rejects.toMatchObject({
    code: 'MILLRACE_HTTP_ADDRESS_UNAVAILABLE',
  });
  await server.close();
});
