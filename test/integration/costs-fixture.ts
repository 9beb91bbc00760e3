import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { access } from '../../src/capabilities/access/access.capability.ts';
import { AuditLog } from '../../src/capabilities/access/audit-log.ts';
import { People } from '../../src/capabilities/access/people.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { clockToken } from '../../src/capabilities/costs/clock-token.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { costs } from '../../src/capabilities/costs/costs.capability.ts';
import { PeriodLedger } from '../../src/capabilities/costs/periods/period-ledger.ts';
import { PeriodService } from '../../src/capabilities/costs/periods/period-service.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import { ReconciliationService } from '../../src/capabilities/costs/reconciliation/reconciliation-service.ts';
import type { ServiceToken } from '../../src/capabilities/http-part.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { renderUsageLine, type UsageRecord } from '../../src/engine/export/usage-record.ts';
import { type HttpServices, partsOf } from '../../src/host/http/http-api.module.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { startApi } from './api-application.ts';
import { recordOf, type Seed } from './cost-seeds.ts';
import { reconciliationOver } from './reconciled-calls.ts';

/* Cost reports over HTTP, from a real ledger's keys and a real column store's records. */

export interface CostsApi {
  readonly app: NestFastifyApplication;
  readonly store: ColumnStore;
  readonly keys: ApiKeys;
  /** Writes usage records of these calls, as one batch. */
  readonly insert: (seeds: readonly Seed[]) => Promise<void>;
  readonly insertRecords: (records: readonly UsageRecord[]) => Promise<void>;
  /** Stops the application, and the column store unless the test has. */
  readonly close: (options?: { readonly isStoreClosed?: boolean }) => Promise<void>;
}

const book = packagedPriceBook();

/** An application that has the routes of costs and API keys. */
export async function startCostsApi(clock: Clock = systemClock): Promise<CostsApi> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-costs-api-'));
  const database = await PgliteSqlDatabase.open();
  await migrate(database);
  const store = await openMigratedColumns({ directory, database: 'millrace_test' });
  const keys = new ApiKeys({ database, clock: systemClock });
  const services = (logger: HttpServices['logger']): HttpServices => ({
    provided: new Map<ServiceToken, unknown>([
      [
        CostReports,
        new CostReports({
          store,
          exportLagSeconds: () => Promise.resolve(1.5),
          findPrice: (question) => book.findPrice(question),
        }),
      ],
      [FocusExports, new FocusExports({ store, billingAccount: 'millrace' })],
      [ReconciliationService, reconciliationOver(database, store).service],
      [clockToken, clock],
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
  const app = await startApi(services, { parts: await partsOf([access, costs]) });
  const insertRecords = async (records: readonly UsageRecord[]): Promise<void> => {
    const deduplicationToken = randomUUID();
    const lines = bindLines(deduplicationToken, records.map(renderUsageLine));
    await store.insert({ table: 'usage', lines, deduplicationToken });
  };
  return {
    app,
    store,
    keys,
    insert: (seeds) => insertRecords(seeds.map(recordOf)),
    insertRecords,
    close: async ({ isStoreClosed = false } = {}) => {
      await app.close();
      if (!isStoreClosed) await store.close();
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
