import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { access } from '../../src/capabilities/access/access.capability.ts';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { AuditLog } from '../../src/capabilities/access/audit-log.ts';
import { People } from '../../src/capabilities/access/people.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { clockToken } from '../../src/capabilities/costs/clock-token.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { costs } from '../../src/capabilities/costs/costs.capability.ts';
import { focusColumns } from '../../src/capabilities/costs/focus/focus-columns.ts';
import { PeriodLedger } from '../../src/capabilities/costs/periods/period-ledger.ts';
import { PeriodService } from '../../src/capabilities/costs/periods/period-service.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import { ReconciliationService } from '../../src/capabilities/costs/reconciliation/reconciliation-service.ts';
import type { ServiceToken } from '../../src/capabilities/http-part.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { type HttpServices, partsOf } from '../../src/host/http/http-api.module.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import { problemSchema } from '../../src/http/problem.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { startApi } from './api-application.ts';
import { requestTo } from './request-to.ts';
import { recordOf, seeds, sumOfBounds, sumOfCosts } from './cost-seeds.ts';
import { reconciliationOver } from './reconciled-calls.ts';

/* FOCUS datasets over HTTP, from a real ledger's keys and a real column store's records. */

const period = 'from=2026-03-01&to=2026-03-04';

let directory: string;
let database: PgliteSqlDatabase;
let store: ColumnStore;
let keys: ApiKeys;
let app: NestFastifyApplication;
let everywhere: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-focus-api-'));
  database = await PgliteSqlDatabase.open();
  await migrate(database);
  store = await openMigratedColumns({ directory, database: 'millrace_test' });
  const exportBatch = randomUUID();
  const lines = bindLines(
    exportBatch,
    seeds.map((seed) => renderUsageLine(recordOf(seed))),
  );
  await store.insert({ table: 'usage', lines, deduplicationToken: exportBatch });
  keys = new ApiKeys({ database, clock: systemClock });
  ({ key: everywhere } = await keys.create({ name: 'all', scopes: ['costs:read'] }));
  const services = (logger: HttpServices['logger']): HttpServices => ({
    provided: new Map<ServiceToken, unknown>([
      [CostReports, new CostReports({ store })],
      [FocusExports, new FocusExports({ store, billingAccount: 'house', maxRecords: 60 })],
      [ReconciliationService, reconciliationOver(database, store).service],
      [clockToken, systemClock],
      [
        PeriodService,
        new PeriodService({ ledger: new PeriodLedger(database), clock: systemClock, timeZone: 'UTC' }),
      ],
      [ApiKeys, keys],
      [AuditLog, new AuditLog(database)],
      [People, new People({ clock: systemClock, logger: silentLogger })],
    ]),
    status: () => Promise.reject(new Error('no status is asked for here')),
    readiness: new Readiness({ checks: [], clock: systemClock }),
    metrics: { render: () => Promise.resolve({ contentType: 'text/plain', body: '' }) },
    logger,
    clock: systemClock,
    authentication: 'keys',
  });
  app = await startApi(services, { parts: await partsOf([access, costs]) });
});

afterAll(async () => {
  await app.close();
  await store.close();
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

const get = (query: string, key: string = everywhere, accept?: string) => {
  const request = requestTo(app).get(`/v1/focus?${query}`).set('authorization', `Bearer ${key}`);
  return accept === undefined ? request : request.set('accept', accept);
};

/** Reads CSV with quoted cells. */
function cellsOf(text: string): string[][] {
  const cell = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n)/y;
  const rows: string[][] = [];
  let row: string[] = [];
  while (cell.lastIndex < text.length) {
    const [, value = '', end] = cell.exec(text) ?? [];
    row.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

async function csv(query: string, key?: string): Promise<Record<string, string>[]> {
  const response = await get(query, key);
  expect(response.statusCode, response.text).toBe(200);
  const [header = [], ...rows] = cellsOf(response.text);
  expect(header).toEqual(focusColumns.map(({ name }) => name));
  return rows.map((cells) => Object.fromEntries(cells.map((value, index) => [header[index] ?? '', value])));
}

const sum = (rows: readonly Record<string, string>[], column: string): string =>
  formatUsd(sumUsd(rows.map((row) => usd(row[column] ?? ''))));

describe('a FOCUS dataset', () => {
  it.each(['day', 'hour'])(
    'by the %s adds up to the records, with what is open apart',
    async (granularity) => {
      const rows = await csv(`${period}&granularity=${granularity}`);
      expect(sum(rows, 'BilledCost')).toBe(sumOfCosts(() => true));
      expect(sum(rows, 'x_OpenUpperBoundUsd')).toBe(sumOfBounds(() => true));
      expect(rows.reduce((count, row) => count + Number(row['x_UnpricedCalls']), 0)).toBe(18);
      expect(rows.every((row) => row['BillingAccountId'] === 'house')).toBe(true);
    },
  );

  it('has no price in rows whose price is not known', async () => {
    const rows = (await csv(period)).filter((row) => row['x_CostStatus'] === 'unpriced');
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      expect(row).toMatchObject({ BilledCost: '0', ListUnitPrice: '', PricingQuantity: '', SkuPriceId: '' });
    }
  });

  it('is the same as Parquet, with exact decimals and times', async () => {
    const response = await get(period, everywhere, 'application/vnd.apache.parquet').responseType('blob');
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'application/vnd.apache.parquet',
      'content-disposition': 'attachment; filename="focus-2026-03-01-2026-03-04.parquet"',
      'cache-control': 'no-store',
    });
    const bytes = response.body as Buffer;
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const rows = await parquetReadObjects({ file });
    const lines = await csv(period);
    expect(rows.length).toBe(lines.length);
    expect(
      rows.map((row) => [row['SkuPriceId'] ?? '', row['Tags'], (row['ChargePeriodStart'] as Date).getTime()]),
    ).toEqual(
      lines.map((row) => [row['SkuPriceId'], row['Tags'], Date.parse(row['ChargePeriodStart'] ?? '')]),
    );
  });

  it('shows a key of a team its team only, and refuses another', async () => {
    const { key } = await keys.create({ name: 'search', scopes: ['costs:read'], team: 'search' });
    const rows = await csv(period, key);
    expect(new Set(rows.map((row) => row['SubAccountId']))).toEqual(new Set(['search']));
    expect(sum(rows, 'BilledCost')).toBe(sumOfCosts((seed) => seed.team === 'search'));
    expect((await get(`${period}&team=support`, key)).statusCode).toBe(403);
    const { key: other } = await keys.create({ name: 'none', scopes: ['messages:read'] });
    expect((await get(period, other)).statusCode).toBe(403);
    expect((await get(period, 'mr_nothing')).statusCode).toBe(401);
  });

  it('is a header alone for a period without calls', async () => {
    expect(await csv('from=2025-03-01&to=2025-03-04')).toEqual([]);
  });

  it('makes text from outside harmless for spreadsheets', async () => {
    const [row] = (await csv(`${period}&team=%3Dcmd()`)).filter((one) => one['SubAccountId'] !== '');
    expect(row?.['SubAccountId']).toBe("'=cmd()");
  });

  it.each([
    ['from=2026-03-01T10:00:00Z&to=2026-03-04', 'from'],
    ['from=2026-03-01T10:30:00Z&to=2026-03-04&granularity=hour', 'from'],
    ['from=2026-03-04&to=2026-03-04', 'from'],
    ['from=2024-03-01&to=2026-03-04', 'from'],
    ['granularity=week', 'granularity'],
    ['token_details=yes', 'token_details'],
    ['group_by=team', 'group_by'],
    ['team=%00', 'team'],
  ])('%s is refused', async (query, field) => {
    const response = await get(query);
    expect(response.statusCode, response.text).toBe(400);
    expect(problemSchema.parse(response.body).faults?.map((fault) => fault.field)).toEqual([field]);
  });

  it('cannot be had in another form', async () => {
    const response = await get(period, everywhere, 'application/json');
    expect(response.statusCode).toBe(406);
  });
});
