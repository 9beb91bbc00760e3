import { expect, it } from 'vitest';
import { EventIntake } from '../../src/capabilities/ingest/event-intake.ts';
import type { HttpServices } from '../../src/host/http/http-api.module.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import { version } from '../../src/host/version.ts';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { BudgetReports } from '../../src/capabilities/budgets/budget-reports.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { MessageAccounts } from '../../src/capabilities/message-operations/message-accounts.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { DeadLetterOffice } from '../../src/capabilities/dead-letters/dead-letter-office.ts';
import { BudgetLedger } from '../../src/engine/ledger/budget-ledger.ts';
import type { HoldOffice } from '../../src/capabilities/pauses/hold-office.ts';
import type { CorrectionOffice } from '../../src/capabilities/corrections/correction-office.ts';
import type { ErasureOffice } from '../../src/capabilities/erasure/erasure-office.ts';
import type { MessageOffice } from '../../src/capabilities/message-operations/message-office.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Admissions } from '../../src/engine/pipeline/admissions.ts';
import { startApi } from '../integration/api-application.ts';

/*
 * The committed OpenAPI document is the one that the API serves. Its routes come from decorators, which Node's own type
 * stripping cannot run, so this test writes it: `npx vitest run test/repository/openapi-document.test.ts --update`.
 */

// Nothing is asked of the stores: the document follows from the routes alone.
const database = {} as SqlDatabase;
const services = (logger: HttpServices['logger']): HttpServices => ({
  costReports: new CostReports({ store: {} as ColumnStore }),
  budgetReports: new BudgetReports(new BudgetLedger(database)),
  apiKeys: new ApiKeys({ database, clock: systemClock }),
  messageAccounts: new MessageAccounts(database),
  eventIntake: new EventIntake({} as Admissions),
  deadLetters: {} as DeadLetterOffice,
  holds: {} as HoldOffice,
  messages: {} as MessageOffice,
  corrections: {} as CorrectionOffice,
  erasures: {} as ErasureOffice,
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
    const { statusCode, body } = await app.inject({ url: '/openapi.json' });
    expect(statusCode).toBe(200);
    const text = `${JSON.stringify(JSON.parse(body), undefined, 2)}\n`;
    await expect(text).toMatchFileSnapshot('../../docs/openapi.json');
  } finally {
    await app.close();
  }
});
