import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchReportSchema } from '../../src/capabilities/batches/report/report-document.ts';
import type { Uuid } from '../../src/kernel/ids.ts';
import { writeReportedBatch } from '../support/reported-batch.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* The report of a batch over HTTP: for its own team, as JSON and as a page. */

const hostile = `"><script>alert('x')</script>`;

let fixture: ApiFixture;
let app: NestFastifyApplication;
let everywhere: string;
let id: Uuid;

beforeAll(async () => {
  fixture = await openApiFixture();
  app = await startApi(fixture.services());
  everywhere = await fixture.newKey(['costs:read']);
  id = await writeReportedBatch(fixture.database, {
    name: hostile,
    pipeline: '<b>pipeline</b>',
    state: 'halted',
    cause: { code: 'tripwire', detail: '<i>too many</i>' },
    items: [
      ...Array.from({ length: 12 }, (_, n) => ({
        id: `<img src=x onerror=${n}>`,
        stagesMs: { '<u>stage</u>': 1000 + n },
        calls: [
          { model: '<svg onload=x>', costUsd: `0.${n + 1}`, tokens: { uncached_input: 5, cache_read: 5 } },
        ],
      })),
      {
        id: 'f',
        state: 'failed',
        errorCode: '<b>MILLRACE</b>',
        calls: [{ costUsd: '0.5', waste: '<s>waste</s>' }],
      },
    ],
  });
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const get = (path: string, { key = everywhere, accept = 'application/json' } = {}) =>
  requestTo(app)
    .get(`/v1/batches/${path}`)
    .set({ accept, authorization: `Bearer ${key}` });

describe('GET /v1/batches/{id}/report', () => {
  it('answers JSON, that nobody keeps', async () => {
    const response = await get(`${id}/report`);
    expect(response.statusCode, response.text).toBe(200);
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store', vary: 'Accept' });
    expect(batchReportSchema.strict().parse(response.body)).toMatchObject({
      batch: { id, name: hostile, state: 'halted', cause: { code: 'tripwire' } },
      isFinal: false,
      items: { total: 13, succeeded: 12, failed: 1 },
    });
  });

  it('is a page without scripts that shows names as they are written', async () => {
    for (const response of [
      await get(`${id}/report`, { accept: 'text/html,*/*;q=0.8' }),
      await get(`${id}/report?format=html`),
    ]) {
      expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(response.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
      expect(response.text).not.toMatch(
        /<script|<link|https?:|style=|<img|<svg onload|<b>pipe|<b>MILL|<u>stage|<s>waste|<i>too/,
      );
      expect(response.text).toContain('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;');
      for (const name of ['pipeline', 'stage', 'too many', 'waste', 'MILLRACE', 'svg onload=x', 'img src=x'])
        expect(response.text).toMatch(new RegExp(`&lt;[^<]*${name}|&gt;${name}`));
      expect(response.text).toContain(`href="/v1/batches/${id}/failed-items"`);
      // Ten tenths of the items, each a bar with its exact amount.
      expect(response.text.match(/<title>\d+\w\w tenth, /g)).toHaveLength(10);
    }
    expect((await get(`${id}/report?format=json`, { accept: 'text/html' })).body).toMatchObject({
      isFinal: false,
    });
  });

  it('is for the own team, for those who may see costs, and in the forms that there are', async () => {
    const refusal = async (path: string, options?: Parameters<typeof get>[1]) => {
      const response = await get(path, options);
      return [response.statusCode, problemOf(response).code];
    };
    const notFound = [404, 'MILLRACE_BATCH_NOT_FOUND'];
    const own = await fixture.newKey(['costs:read'], 'blue');
    expect((await get(`${id}/report`, { key: own })).statusCode).toBe(200);
    expect(await refusal(`${id}/report`, { key: await fixture.newKey(['costs:read'], 'red') })).toEqual(
      notFound,
    );
    expect(await refusal('00000000-0000-8000-8000-000000000000/report')).toEqual(notFound);
    expect(await refusal('nightly/report')).toEqual(notFound);
    expect(await refusal(`${id}/report`, { key: await fixture.newKey(['messages:read']) })).toEqual([
      403,
      'MILLRACE_FORBIDDEN',
    ]);
    expect(await refusal(`${id}/report`, { accept: 'image/png' })).toEqual([406, 'MILLRACE_NOT_ACCEPTABLE']);
    for (const query of ['format=pdf', 'format=html&format=json', 'fromat=html'])
      expect(await refusal(`${id}/report?${query}`)).toEqual([400, 'MILLRACE_REQUEST_INVALID']);
  });
});
