import { expect, it } from 'vitest';
import { EventIntake } from '../../src/app/http/event-intake.ts';
import type { HttpServices } from '../../src/app/http/http-api.module.ts';
import { Readiness } from '../../src/app/http/readiness.ts';
import { version } from '../../src/app/version.ts';
import { ApiKeys } from '../../src/costs/api-keys.ts';
import { BudgetReports } from '../../src/costs/budget-reports.ts';
import { CostReports } from '../../src/costs/cost-reports.ts';
import { MessageAccounts } from '../../src/costs/message-accounts.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { DeadLetterOffice } from '../../src/operations/dead-letter-office.ts';
import { BudgetLedger } from '../../src/engine/ledger/budget-ledger.ts';
import type { HoldOffice } from '../../src/operations/hold-office.ts';
import type { CorrectionOffice } from '../../src/operations/correction-office.ts';
import type { ErasureOffice } from '../../src/operations/erasure-office.ts';
import type { MessageOffice } from '../../src/operations/message-office.ts';
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
