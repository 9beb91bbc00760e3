import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { SeededRandom } from '../chaos/seeded-random.ts';
import { answerFault, type OpenApi, OpenApiRequests } from '../fuzz/openapi-requests.ts';
import { startApi } from './api-application.ts';
import { openApiFixture, ticketEvent } from './api-fixture.ts';

/* The short form of `npm run fuzz`: without a socket, and with a column store that is away. */

it('answers whatever the OpenAPI document lets one ask with what it declares', async () => {
  const fixture = await openApiFixture();
  const away = () => Promise.reject(new AppError('MILLRACE_COLUMN_STORE_UNAVAILABLE', 'away'));
  const costReports = new CostReports({ store: { database: 'away', query: away } as unknown as ColumnStore });
  const app = await startApi(fixture.services({ provided: [[CostReports, costReports]] }));
  const document = JSON.parse(await readFile(join(packageRoot(), 'docs/openapi.json'), 'utf8')) as OpenApi;
  const requests = new OpenApiRequests(document, [
    await fixture.newKey(['admin']),
    await fixture.newKey(['admin'], 'support'),
  ]);
  const writer = await fixture.newKey(['messages:write']);
  const random = new SeededRandom('intake');
  const faults: string[] = [];
  const statuses = new Map<number, number>();
  for (let number = 0; number < 1000; number += 1) {
    const { method, url, headers, body } = requests.next(random);
    const answer = await app.inject({
      method: method as 'GET',
      url,
      headers: { ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    statuses.set(answer.statusCode, (statuses.get(answer.statusCode) ?? 0) + 1);
    if (number % 100 === 99) {
      // Whatever was asked before, a good message is admitted.
      const good = await app.inject({
        method: 'POST',
        url: '/v1/messages',
        headers: { 'content-type': 'application/cloudevents+json', authorization: `Bearer ${writer}` },
        payload: JSON.stringify(ticketEvent()),
      });
      expect(good.statusCode, good.body).toBe(202);
    }
    const fault = answerFault({
      status: answer.statusCode,
      contentType: answer.headers['content-type']?.toString() ?? '',
      retryAfter: answer.headers['retry-after']?.toString(),
      url,
    });
    if (fault !== undefined)
      faults.push(`#${number} ${method} ${url.slice(0, 200)} ${String(body).slice(0, 200)}: ${fault}`);
  }
  expect(faults).toEqual([]);
  // It reaches what lies behind the checks, and is refused often.
  for (const status of [200, 400, 401, 403, 404])
    expect(statuses.get(status) ?? 0, String(status)).toBeGreaterThan(0);
  await app.close();
  await fixture.close();
});
