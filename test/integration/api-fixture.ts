import { PeriodLedger } from '../../src/capabilities/costs/periods/period-ledger.ts';
import { PeriodService } from '../../src/capabilities/costs/periods/period-service.ts';
import { CallPrices } from '../../src/capabilities/prices/call-price/call-prices.ts';
import { OverrideService } from '../../src/capabilities/prices/overrides/override-service.ts';
import { RepriceService } from '../../src/capabilities/prices/reprice/reprice-service.ts';
import { ExportLedger } from '../../src/engine/export/export-ledger.ts';
import { PriceOverrides } from '../../src/engine/ledger/price-overrides.ts';
import { RepriceLedger } from '../../src/engine/ledger/reprice-ledger.ts';
import { CorrectionLedger } from '../../src/engine/ledger/correction-ledger.ts';
import { CorrectionService } from '../../src/capabilities/corrections/correction-service.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { batchServices } from '../support/batch-services.ts';
import { requestServices } from '../support/request-services.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { BatchReports } from '../../src/capabilities/batches/report/batch-reports.ts';
import { BudgetAdmission } from '../../src/capabilities/budgets/budget-admission.ts';
import { BudgetBook } from '../../src/capabilities/budgets/budget-book.ts';
import { errorCodes } from '../../src/host/error-codes.ts';
import { readStatusDocument } from '../../src/host/status-document.ts';
import { TraceIntake } from '../../src/capabilities/ingest/traces/trace-intake.ts';
import { UsageIntake } from '../../src/capabilities/ingest/usage/usage-intake.ts';
import { ToldCalls } from '../../src/engine/ledger/told-calls.ts';
import { EventIntake } from '../../src/capabilities/ingest/event-intake.ts';
import type { HttpServices } from '../../src/host/http/http-api.module.ts';
import { type Problem, problemSchema } from '../../src/http/problem.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import type { ApiScope } from '../../src/http/api-key-identity.ts';
import { AuditLog } from '../../src/capabilities/access/audit-log.ts';
import { People } from '../../src/capabilities/access/people.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { BudgetOperations } from '../../src/capabilities/budgets/budget-operations.ts';
import { BudgetService } from '../../src/capabilities/budgets/budget-service.ts';
import type { Provided } from '../../src/capabilities/capability.ts';
import { clockToken } from '../../src/capabilities/costs/clock-token.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { ScheduleService } from '../../src/capabilities/schedules/schedule-service.ts';
import { scheduleServiceOver } from '../support/schedule-fixture.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import { ReconciliationService } from '../../src/capabilities/costs/reconciliation/reconciliation-service.ts';
import { MessageCosts } from '../../src/capabilities/message-operations/message-costs.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { BudgetDefinition } from '../../src/capabilities/budgets/budget-definition.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { DeadLetters } from '../../src/capabilities/dead-letters/dead-letters.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import { MessageCancellations } from '../../src/engine/ledger/message-cancellations.ts';
import { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { MessageOperations } from '../../src/capabilities/message-operations/message-operations.ts';
import { MessageSearch } from '../../src/capabilities/message-operations/message-search.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { DeadLetterService } from '../../src/capabilities/dead-letters/dead-letter-service.ts';
import { ErasureService } from '../../src/capabilities/erasure/erasure-service.ts';
import { ErasureLedger } from '../../src/capabilities/erasure/erasure-ledger.ts';
import type { PayloadCleaner } from '../../src/engine/maintenance/payload-cleaner.ts';
import { LimitService } from '../../src/capabilities/limits/limit-service.ts';
import { SetLimits } from '../../src/capabilities/limits/set-limits.ts';
import { PauseService } from '../../src/capabilities/pauses/pause-service.ts';
import { AddressPolicy } from '../../src/capabilities/webhooks/address-policy.ts';
import { EndpointStore } from '../../src/capabilities/webhooks/endpoint-store.ts';
import { WebhookService } from '../../src/capabilities/webhooks/webhook-service.ts';
import { MessageService } from '../../src/capabilities/message-operations/message-service.ts';
import { EventWaits } from '../../src/engine/ledger/event-waits.ts';
import { WaitService } from '../../src/capabilities/waits/wait-service.ts';
import { Pipelines } from '../../src/capabilities/pipelines/pipelines.ts';
import { Admissions } from '../../src/engine/pipeline/admissions.ts';
import { MessageBodies } from '../../src/engine/pipeline/message-bodies.ts';
import { MessageCanceller } from '../../src/engine/pipeline/message-canceller.ts';
import type { Publisher } from '../../src/engine/pipeline/publisher.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { type RegisteredStage, StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';

import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { reconciliationOver } from './reconciled-calls.ts';

/* The services behind the HTTP API on a real ledger, with one stage that consumes tickets. */

const TicketOpened = defineMessage('ticket.opened').version(
  1,
  z.strictObject({ subject: z.string().min(1) }),
);
const triage = defineStage('triage', { consumes: TicketOpened.upTo(1), pipeline: 'support' });

/** What the configuration says about limits of models. */
export const configuredLimits = {
  'openai/gpt-5-mini': { requestsPerMinute: 600, tokensPerMinute: 60_000 },
};

/** A column store that is away. */
const awayStore = {
  database: 'nowhere',
  query: () => Promise.reject(new AppError('MILLRACE_COLUMN_STORE_UNAVAILABLE', 'away')),
} as unknown as ColumnStore;

/** A column store that has nothing yet. */
const noRecords = { database: 'nowhere', query: () => Promise.resolve([]) } as unknown as ColumnStore;

const pricing = (database: PgliteSqlDatabase) => ({
  ledger: new RepriceLedger(database),
  pricer: packagedPriceBook(),
  priceProviderOf: (provider: string) => provider,
});

/** Other services than the fixture's, and what else the API works with. */
interface Overrides extends Partial<Omit<HttpServices, 'provided'>> {
  readonly provided?: readonly Provided[];
}

export interface ApiFixture {
  readonly database: PgliteSqlDatabase;
  readonly messages: MessageLedger;
  /** Ids of messages whose stage was woken. */
  readonly published: string[];
  /** The budgets that refused a message, one for each. */
  readonly refusedBy: readonly string[];
  /** Makes these the budgets that hold. */
  setBudgets(definitions: readonly BudgetDefinition[]): Promise<void>;
  /** The services for `startApi`. */
  services(overrides?: Overrides): (logger: HttpServices['logger']) => HttpServices;
  newKey(scopes: readonly ApiScope[], team?: string): Promise<string>;
  countMessages(): Promise<number>;
  close(): Promise<void>;
}

export async function openApiFixture(): Promise<ApiFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-http-api-'));
  const database = await openMigratedPglite();
  const messages = new MessageLedger({ database, clock: systemClock, worker: 'test' });
  const registry = new StageRegistry();
  registry.register([
    { definition: triage, handler: { handle: () => undefined } } as unknown as RegisteredStage,
  ]);
  const published: string[] = [];
  const payloads = await new FilesPayloadStore({ directory }).open(new Date());
  const bodies = new MessageBodies(payloads, {
    inlineBytes: 1000,
    maxBytes: 20_000,
  });
  const note = ({ id }: { id: string }) => published.push(id);
  const publisher = {
    enqueued: note,
    notify: (_stage: string, id: string) => published.push(id),
    slotFor: () => undefined,
  } as unknown as Publisher;
  const refusedBy: string[] = [];
  const ledger = new BudgetLedger(database);
  const book = new BudgetBook();
  const budgets = new BudgetAdmission({
    book,
    read: () => ledger.read(),
    clock: systemClock,
    onRefused: (budget) => refusedBy.push(budget),
  });
  const admissions = new Admissions({
    ledger: messages,
    registry,
    bodies,
    publisher,
    clock: systemClock,
    check: budgets,
  });
  const deadLetters = new DeadLetterService({
    ledger: new DeadLetters(database),
    bodies,
    publisher,
    metrics: createMetrics(metricCatalogue),
    clock: systemClock,
  });
  const keys = new ApiKeys({ database, clock: systemClock });
  const count = { name: 'count', text: 'select count(*)::int as n from millrace.messages' };
  return {
    database,
    messages,
    published,
    refusedBy,
    async setBudgets(definitions) {
      await ledger.define(definitions);
      book.replace(definitions);
    },
    services: ({ provided = [], ...overrides } = {}) => {
      const services: readonly Provided[] = [
        [CostReports, new CostReports({ store: { database: 'nowhere' } as ColumnStore })],
        [FocusExports, new FocusExports({ store: awayStore, billingAccount: 'millrace' })],
        [ReconciliationService, reconciliationOver(database, awayStore).service],
        [clockToken, overrides.clock ?? systemClock],
        [
          BudgetService,
          new BudgetService({ ledger, operations: new BudgetOperations({ database, clock: systemClock }) }),
        ],
        [ApiKeys, keys],
        [AuditLog, new AuditLog(database)],
        [People, new People({ clock: systemClock, logger: silentLogger })],
        [MessageCosts, new MessageCosts(database)],
        [EventIntake, new EventIntake(admissions)],
        [
          TraceIntake,
          new TraceIntake({
            calls: new ToldCalls(database),
            pricer: packagedPriceBook(),
            clock: systemClock,
            metrics: createMetrics(metricCatalogue),
          }),
        ],
        [
          UsageIntake,
          new UsageIntake({
            calls: new ToldCalls(database),
            pricer: packagedPriceBook(),
            clock: systemClock,
            metrics: createMetrics(metricCatalogue),
          }),
        ],
        ...batchServices(database, registry),
        ...requestServices({ database, payloads, admissions, bodies, publisher, registry }),
        [ScheduleService, scheduleServiceOver(database, admissions)],
        [DeadLetterService, deadLetters],
        [
          MessageService,
          new MessageService({
            search: new MessageSearch(database),
            operations: new MessageOperations(database),
            canceller: new MessageCanceller({
              ledger: new MessageCancellations(database),
              publisher,
              metrics: createMetrics(metricCatalogue),
              clock: systemClock,
            }),
            bodies,
            publisher,
            clock: systemClock,
          }),
        ],
        [RepriceService, new RepriceService({ ...pricing(database), clock: systemClock })],
        [
          CallPrices,
          new CallPrices({ ...pricing(database), exports: new ExportLedger(database), columns: noRecords }),
        ],
        [
          OverrideService,
          new OverrideService({ overrides: new PriceOverrides(database), clock: systemClock }),
        ],
        [
          PeriodService,
          new PeriodService({
            ledger: new PeriodLedger(database),
            clock: overrides.clock ?? systemClock,
            timeZone: 'UTC',
          }),
        ],
        [
          CorrectionService,
          new CorrectionService({
            ledger: new CorrectionLedger(database),
            pricer: packagedPriceBook(),
            priceProviderOf: (provider) => provider,
            clock: systemClock,
          }),
        ],
        [
          ErasureService,
          new ErasureService({
            ledger: new ErasureLedger({ database, clock: systemClock }),
            store: awayStore,
            cleaner: { clean: () => Promise.resolve(false) } as PayloadCleaner,
            clock: systemClock,
          }),
        ],
        [
          LimitService,
          new LimitService({
            configured: configuredLimits,
            limits: new SetLimits({ database, clock: systemClock }),
          }),
        ],
        [
          BatchReports,
          new BatchReports({ database, findPrice: (question) => packagedPriceBook().findPrice(question) }),
        ],
        [Pipelines, new Pipelines(registry)],
        [
          WaitService,
          new WaitService({
            waits: new EventWaits(database),
            registry,
            bodies,
            publisher,
            clock: systemClock,
          }),
        ],
        [
          WebhookService,
          new WebhookService({
            store: new EndpointStore(database),
            policy: new AddressPolicy({ allowPrivate: [], allowHttp: false, ports: [443] }),
            clock: systemClock,
          }),
        ],
        [PauseService, new PauseService(new Blocks({ database, clock: systemClock }))],
        ...provided,
      ];
      return (logger) => ({
        provided: new Map(services),
        status: () => readStatusDocument({ database, clock: systemClock }),
        readiness: new Readiness({ checks: [], clock: systemClock }),
        metrics: { render: () => Promise.resolve({ contentType: 'text/plain', body: '' }) },
        logger,
        clock: systemClock,
        authentication: 'keys',
        ...overrides,
      });
    },
    newKey: async (scopes, team) =>
      (await keys.create({ name: 'test', scopes, ...(team === undefined ? {} : { team }) })).key,
    countMessages: async () => (await database.query<{ n: number }>(count)).rows[0]?.n ?? -1,
    close: async () => {
      await database.close();
      await rm(directory, { recursive: true });
    },
  };
}

let eventNumber = 0;

/** A valid event with an id of its own. */
export function ticketEvent(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  eventNumber += 1;
  return {
    specversion: '1.0',
    id: `event-${eventNumber}`,
    source: '/helpdesk',
    type: 'ticket.opened',
    originteam: 'support',
    origincustomer: 'acme',
    originfeature: 'triage',
    data: { subject: 'confidential-subject' },
    ...overrides,
  };
}

/** The problem document that a response is: one of Supertest, or of `inject`, whose body is text. */
export function problemOf(response: {
  readonly body: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
}): Problem {
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
  const { body } = response;
  const problem = problemSchema.strict().parse(typeof body === 'string' ? JSON.parse(body) : body);
  expect(errorCodes).toHaveProperty(problem.code);
  return problem;
}
