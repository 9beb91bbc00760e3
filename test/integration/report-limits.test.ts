import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Provided } from '../../src/capabilities/capability.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import { ReconciliationService } from '../../src/capabilities/costs/reconciliation/reconciliation-service.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';
import { connectClickHouse } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { ConcurrencyLimiter } from '../../src/kernel/concurrency-limiter.ts';
import { newId } from '../../src/kernel/ids.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { type QueryLimits, queryWithin } from '../../src/capabilities/costs/query-limits.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { usageRecord } from '../support/usage-records.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { costErrors } from '../../src/capabilities/costs/cost-errors.ts';
import { requestTo } from './request-to.ts';

/* What one cost report may take of the column store, embedded and over HTTP. */

const wide: QueryLimits = { maxSeconds: 60, maxMemoryBytes: 400_000_000, maxRows: 100_000 };
const heavy = {
  sql: 'SELECT number, sum(cityHash64(number, toString(number))) AS hash FROM numbers({rows:UInt64}) GROUP BY number ORDER BY hash LIMIT 5000',
  parameters: { rows: 3_000_000 },
};

/** What the routes of costs are given. */
const servicesOf = (reports: CostReports, store: ColumnStore): Provided[] => [
  [CostReports, reports],
  [FocusExports, new FocusExports({ store, billingAccount: 'millrace' })],
  [ReconciliationService, {}],
];

const stores: Record<string, (directory: string) => Promise<{ store: ColumnStore; close(): Promise<void> }>> =
  {
    async embedded(directory) {
      const store = await openMigratedColumns({ directory, database: 'millrace' });
      return { store, close: () => store.close() };
    },
    async 'over HTTP'(directory) {
      const server = new ClickHouseHttpServer(directory);
      await server.start();
      const store = connectClickHouse({
        url: server.url,
        user: serverUser,
        password: serverPassword,
        database: 'millrace',
        requestTimeoutMs: 30_000,
        maxConnections: 2,
      });
      const close = async (): Promise<void> => {
        await store.close();
        await server.stop();
      };
      return { store, close };
    },
  };

describe.each(Object.entries(stores))('a report, %s,', (_, open) => {
  let directory: string;
  let store: ColumnStore;
  let close: () => Promise<void>;
  let fixture: ApiFixture;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-report-limits-'));
    const opened = await open(join(directory, 'usage'));
    store = opened.store;
    close = () => opened.close();
    await migrateColumnStore(store);
    fixture = await openApiFixture();
  });
  afterAll(async () => {
    await fixture.close();
    await close();
    await rm(directory, { recursive: true, force: true });
  });

  it.each([
    ['time', { maxSeconds: 0.01 }],
    ['memory', { maxMemoryBytes: 10_000_000 }],
    ['rows', { maxRows: 1_000 }],
  ] as const)('takes no more %s than it may, and says so', async (what, limit) => {
    await expect(queryWithin(store, heavy, { ...wide, ...limit })).rejects.toMatchObject({
      code: 'MILLRACE_REPORT_TOO_LARGE',
      retryable: false,
      message: expect.stringContaining(`more ${what} than`) as string,
    });
    // The next is not held to it.
    expect(await store.query('SELECT count() AS n FROM numbers(2000)')).toEqual([{ n: '2000' }]);
  });

  it('that takes too much is answered 422, and one that does not is answered', async () => {
    const exportBatch = '0192e000-0000-7000-8000-000000000001';
    const records = ['acme', 'globex', 'initech'].map((customer) => {
      const id = newId(new Date());
      const origin = { team: 'blue', customer, feature: 'shop' };
      return usageRecord({ recordId: id, callId: id, origin, sentAt: new Date() });
    });
    const lines = bindLines(
      exportBatch,
      records.map((record) => renderUsageLine(record)),
    );
    await store.insert({ table: 'usage', lines, deduplicationToken: exportBatch });
    const key = await fixture.newKey(['costs:read']);
    const ask = async (limits: QueryLimits) => {
      const app = await startApi(
        fixture.services({ provided: servicesOf(new CostReports({ store, limits }), store) }),
      );
      const answer = await requestTo(app)
        .get('/v1/costs?group_by=customer')
        .set('authorization', `Bearer ${key}`);
      await app.close();
      return answer;
    };
    const refused = await ask({ ...wide, maxRows: 2 });
    expect(problemOf(refused)).toMatchObject({ status: 422, code: 'MILLRACE_REPORT_TOO_LARGE' });
    expect((await ask(wide)).body).toMatchObject({ totals: { calls: 3 } });
  });
});

describe('reports at once', () => {
  it('are shared: who asks for many keeps no other from one', async () => {
    const fixture = await openApiFixture();
    const limiter = new ConcurrencyLimiter({
      what: 'Cost reports',
      limit: 4,
      limitPerKey: 2,
      maxWaiting: 100,
      maxWaitingPerKey: 20,
      maxWaitMs: 1_500,
      clock: new ManualClock(),
    });
    let asked = 0;
    const gate = Promise.withResolvers<never>();
    const store = {
      database: 'nowhere',
      query: () => {
        asked += 1;
        // Those of the first key never end by themselves.
        return asked <= 2
          ? gate.promise
          : Promise.reject(new AppError(costErrors.MILLRACE_REPORT_TOO_LARGE, 'made'));
      },
    } as unknown as ColumnStore;
    const app = await startApi(
      fixture.services({ provided: servicesOf(new CostReports({ store, limiter }), store) }),
    );
    const [alpha, beta] = [await fixture.newKey(['costs:read']), await fixture.newKey(['costs:read'])];
    // Without connections, which need not be read in the order in which they were made.
    const ask = (key: string) =>
      app.inject({ url: '/v1/costs', headers: { authorization: `Bearer ${key}` } });
    const many = Array.from({ length: 120 }, () => ask(alpha).then((answer) => answer));
    // 98 of them find neither a place nor room to wait.
    const refused = await Promise.all(many.slice(22));
    for (const answer of refused) {
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '1']);
    }
    expect((await ask(beta)).statusCode).toBe(422);
    gate.reject(new AppError(costErrors.MILLRACE_REPORT_TOO_LARGE, 'made'));
    for (const answer of await Promise.all(many.slice(0, 22))) expect(answer.statusCode).toBe(422);
    await app.close();
    await fixture.close();
  });
});
