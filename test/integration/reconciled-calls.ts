import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BillComparison } from '../../src/capabilities/costs/reconciliation/bill-comparison.ts';
import { CallSettlements } from '../../src/capabilities/costs/reconciliation/call-settlements.ts';
import { LedgerUsage } from '../../src/capabilities/costs/reconciliation/ledger-usage.ts';
import { ReconciliationLedger } from '../../src/capabilities/costs/reconciliation/reconciliation-ledger.ts';
import { ReconciliationService } from '../../src/capabilities/costs/reconciliation/reconciliation-service.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { countsOfCall, renderUsageLine, type UsageRecord } from '../../src/engine/export/usage-record.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { CorrectionLedger } from '../../src/engine/ledger/correction-ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { usd, zeroUsd } from '../../src/kernel/money.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import type { TokenCounts } from '../../src/pricing/token-classes.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { billedAtto, findSimulatedModel, usdOfAtto } from '../../src/simulator/simulator-prices.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';

/* Calls as the ledger's records tell them, and as the simulator's bill does: two accounts that share no price. */

const pricer = packagedPriceBook({});

/** One call, as the provider bills it. */
export interface SomeCall {
  readonly id: string;
  readonly day: string;
  readonly model: string;
  readonly input: number;
  readonly cached?: number;
  readonly output: number;
  readonly tier?: string;
}

/** The entry of the simulator's bill. */
export function billed({ id, day, model, input, cached = 0, output, tier }: SomeCall): BillEntry {
  const provider = model.startsWith('claude') ? 'anthropic' : 'openai';
  const found = findSimulatedModel(provider, model);
  if (found === undefined) throw new Error(`the simulator does not sell ${model}`);
  const billedTier = tier ?? (provider === 'openai' ? 'default' : 'standard');
  const tokens = {
    uncached_input: input,
    cache_read: cached,
    cache_write_5m: 0,
    cache_write_1h: 0,
    text_output: output,
    reasoning: 0,
  };
  return {
    n: 0,
    requestId: `req_${id}`,
    at: `${day}T10:00:00.000Z`,
    provider,
    endpoint: provider === 'openai' ? 'chat.completions' : 'messages',
    modelAsked: model,
    modelAnswered: found.answeredId,
    tier: billedTier,
    tokens,
    costUsd: usdOfAtto(billedAtto(found, billedTier, tokens)),
    usageReported: true,
    fault: null,
    requestHash: id,
    callId: null,
    messageId: null,
    step: null,
  };
}

/** The record of the call, priced as Millrace prices it. */
export function recorded(call: SomeCall, fields: Partial<UsageRecord> = {}): UsageRecord {
  const entry = billed(call);
  const sentAt = new Date(entry.at);
  const { uncached_input, cache_read, text_output } = entry.tokens;
  const tokens: TokenCounts = fields.tokens ?? { uncached_input, cache_read, text_output };
  const question = {
    provider: entry.provider,
    model: entry.modelAnswered,
    at: sentAt,
    tier: call.tier ?? 'default',
    batch: false,
  };
  const pricing = pricer.price(question, tokens);
  const cost = pricing.kind === 'priced' ? pricing.cost : undefined;
  return {
    recordId: randomUUID(),
    recordKind: 'call',
    callId: randomUUID(),
    sentAt,
    recordedAt: new Date(sentAt.getTime() + 1000),
    origin: { team: 'search', customer: 'acme', feature: 'summaries' },
    pipeline: 'documents',
    stage: 'summarise',
    owner: 'platform',
    step: 'summary',
    attempt: 1,
    provider: entry.provider,
    model: call.model,
    answeredModel: entry.modelAnswered,
    operation: 'chat',
    tier: call.tier ?? 'default',
    requestKind: 'single',
    providerRequestId: entry.requestId,
    outcome: 'ok',
    settlement: 'reported',
    counts: countsOfCall('reported', cost !== undefined),
    tokens,
    costByClass: cost?.byClass ?? {},
    ...(cost === undefined ? {} : { costUsd: cost.total }),
    durationMs: 12,
    ...fields,
  };
}

/** What is recorded of a call of which nobody knows how it went. */
export function unsettledFields(boundUsd: string, errorType?: string): Partial<UsageRecord> {
  return {
    outcome: 'unsettled',
    settlement: 'unsettled',
    counts: countsOfCall('unsettled', true),
    tokens: {},
    costByClass: {},
    costUsd: zeroUsd,
    upperBoundUsd: usd(boundUsd),
    wasteReason: 'aborted',
    answeredModel: '',
    providerRequestId: '',
    ...(errorType === undefined ? {} : { errorType }),
  };
}

/** What is recorded of a call that failed and, as far as is known, cost nothing. */
export const failedFields: Partial<UsageRecord> = {
  outcome: 'error',
  settlement: 'free',
  errorType: 'server_error',
  counts: countsOfCall('free', true),
  tokens: {},
  costByClass: {},
  costUsd: zeroUsd,
  answeredModel: '',
};

export interface ReconciliationStores {
  readonly database: SqlDatabase;
  readonly store: ColumnStore;
  readonly calls: CallLedger;
  readonly service: ReconciliationService;
  readonly ledger: ReconciliationLedger;
  readonly insert: (records: readonly UsageRecord[]) => Promise<void>;
  /** Inserts rendered lines. */
  readonly insertLines: (lines: readonly string[]) => Promise<void>;
  /** Forgets all records. */
  readonly empty: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The service over the given stores. */
export function reconciliationOver(
  database: SqlDatabase,
  store: ColumnStore,
): Pick<ReconciliationStores, 'calls' | 'ledger' | 'service'> {
  const calls = new CallLedger({ database, clock: systemClock });
  const ledger = new ReconciliationLedger(database);
  const priceProviderOf = (provider: string): string => provider;
  const usage = new LedgerUsage(store, { maxSeconds: 20, maxMemoryBytes: 1_000_000_000, maxRows: 100_000 });
  const service = new ReconciliationService({
    comparison: new BillComparison({ usage, pricer, priceProviderOf }),
    ledger,
    settlements: new CallSettlements({
      calls,
      corrections: new CorrectionLedger(database),
      pricer,
      priceProviderOf,
      clock: systemClock,
    }),
    exportLagSeconds: () => Promise.resolve(0),
    clock: systemClock,
  });
  return { calls, ledger, service };
}

/** The service over a real ledger and a real column store. */
export async function openReconciliation(): Promise<ReconciliationStores> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-reconciliation-'));
  const database = await openMigratedPglite();
  const store = await openMigratedColumns({ directory, database: 'millrace_test' });
  const { calls, ledger, service } = reconciliationOver(database, store);
  const insertLines = async (rendered: readonly string[]): Promise<void> => {
    const deduplicationToken = randomUUID();
    await store.insert({
      table: 'usage',
      lines: bindLines(deduplicationToken, [...rendered]),
      deduplicationToken,
    });
  };
  return {
    database,
    store,
    calls,
    service,
    ledger,
    insert: async (records) => insertLines(records.map((record) => renderUsageLine(record))),
    insertLines,
    empty: async () => {
      await store.command(`TRUNCATE TABLE ${store.database}.usage`);
      await database.execute('delete from millrace.reconciliations');
    },
    close: async () => {
      await store.close();
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
