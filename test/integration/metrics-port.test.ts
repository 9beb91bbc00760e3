import { expect, it } from 'vitest';
import { listenForMetrics } from '../../src/host/http/metrics-server.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import { systemClock } from '../../src/kernel/clock.ts';

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
  const ask = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  expect(await (await ask('/metrics')).text()).toBe('up 1\n');
  expect(renderings).toBe(1);
  expect(await (await ask('/health/live')).json()).toEqual({ status: 'live' });
  expect((await ask('/health/ready')).status).toBe(200);
  readiness.beginStop();
  expect((await ask('/health/ready')).status).toBe(503);
  expect([(await ask('/v1/costs')).status, (await ask('/metrics', 'POST')).status]).toEqual([404, 405]);
  await expect(
    listenForMetrics({ host: '127.0.0.1', port: server.port, metrics, readiness }),
  ).rejects.toMatchObject({
    code: 'MILLRACE_HTTP_ADDRESS_UNAVAILABLE',
  });
  await server.close();
});
