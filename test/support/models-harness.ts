import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { type Usd, sumUsd, usd } from '../../src/kernel/money.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { originOfColumns } from '../../src/engine/ledger/stored-message.ts';
import type { OwningMessage } from '../../src/engine/calls/call-maker.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import {
  composeMeteredModels,
  type MeteredModelsOptions,
} from '../../src/engine/calls/compose-metered-models.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import type { ProviderConfig } from '../../src/engine/providers/provider-config.ts';
import { ProviderRegistry } from '../../src/engine/providers/provider-registry.ts';
import { loadProviderSdks } from '../../src/engine/providers/provider-sdks.ts';
import { type Script, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { metricCatalogue, type MillraceMetrics } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { claimOf, outboxLines, someAdmission, someLedger } from './ledger-fixture.ts';
import { emptyTables } from './empty-tables.ts';

/** A line that was logged. */
export interface LoggedLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One row of the calls table, as far as the tests of models look at it. */
export interface CallRow {
  readonly is_suspect: boolean;
  readonly id: string;
  readonly message_id: string | null;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  readonly state: string;
  readonly outcome: string | null;
  readonly settlement: string | null;
  readonly error_type: string | null;
  readonly provider: string;
  readonly model: string;
  readonly tier: string;
  readonly operation: string;
  readonly answered_model: string | null;
  readonly provider_request_id: string | null;
  readonly tokens: string | null;
  readonly raw_usage: string | null;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
  readonly waste_reason: string | null;
  readonly price_reference: string | null;
  readonly first_chunk_ms: number | null;
  readonly answer: string | null;
  readonly answer_ref: string | null;
  readonly parameters: string | null;
  readonly shared_request: string | null;
  readonly cascade_place: number | null;
  readonly cascade_models: number | null;
  readonly cascade_verdict: string | null;
  readonly cascade_usd: string | null;
  readonly reserved_at: Date | string;
}

/** Metered models over a real ledger (PGlite, in memory) and a payload store in a directory of their own. */
export interface ModelsHarness {
  readonly database: SqlDatabase;
  readonly messages: MessageLedger;
  readonly calls: CallLedger;
  readonly logged: LoggedLine[];
  readonly metrics: MillraceMetrics;
  /** A gateway over the providers. */
  metered(
    providers: Readonly<Record<string, ProviderConfig>>,
    options?: Partial<MeteredModelsOptions>,
  ): MeteredModels;
  /** A gateway whose one provider, "scripted", answers by the script. */
  scripted(
    script: Script,
    timeoutMs?: number,
  ): { readonly model: ScriptedModel; readonly metered: MeteredModels };
  /** A new message under lease. */
  leasedMessage(leaseMs?: number): Promise<OwningMessage>;
  /** The message is released and leased again, with a higher fencing token. */
  redeliver(message: OwningMessage): Promise<OwningMessage>;
  /** A scope for the message whose lease does not end by itself. */
  openScope(metered: MeteredModels, message: OwningMessage, signal?: AbortSignal): CallGroup;
  callRows(): Promise<readonly CallRow[]>;
  /** The usage records that wait for export, parsed. */
  usageLines(): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Every series of a metric with its labels, as the exposition shows them. */
  metricLines(name: string): Promise<readonly string[]>;
  /** Empties the ledger. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export const someOrigin = { team: 'blue', customer: 'acme', feature: 'search' };

export async function openMeteredModels(): Promise<ModelsHarness> {
  const database = await openMigratedPglite();
  const directory = await mkdtemp(join(tmpdir(), 'millrace-models-'));
  const payloads = await new FilesPayloadStore({ directory }).open(new Date());
  const messages = someLedger(database);
  const calls = new CallLedger({ database, clock: systemClock });
  const metrics = createMetrics(metricCatalogue);
  const logged: LoggedLine[] = [];
  const pricer = packagedPriceBook({ aliases: { simulated: 'openai', scripted: 'openai' } });
  const lease = async (id: string, leaseMs: number): Promise<OwningMessage> => {
    const outcome = await claimOf(database, messages, id, leaseMs);
    if (outcome.kind !== 'leased') throw new Error(`the message could not be leased: ${outcome.kind}`);
    const { envelope, fencingToken, deliveries } = outcome.message;
    return { ...envelope, fencingToken, deliveries };
  };
  const sdks = await loadProviderSdks(['openai', 'anthropic', 'openai-compatible']);
  const metered: ModelsHarness['metered'] = (providers, options = {}) =>
    composeMeteredModels({
      ledger: calls,
      pricer,
      registry: new ProviderRegistry(providers, sdks),
      payloads,
      logger: loggerInto(logged),
      clock: systemClock,
      metrics,
      ...options,
    });
  return {
    database,
    messages,
    calls,
    logged,
    metrics,
    metered,
    scripted(script, timeoutMs) {
      const model = new ScriptedModel(script, 'gpt-5-mini');
      const limit = timeoutMs === undefined ? {} : { timeoutMs };
      return { model, metered: metered({ scripted: { kind: 'custom', model: () => model, ...limit } }) };
    },
    async leasedMessage(leaseMs = 60_000) {
      const admission = someAdmission({
        id: newId(new Date()),
        origin: originOfColumns({ ...someOrigin, batch: null, labels: null }),
      });
      await messages.admit(admission);
      return lease(admission.envelope.id, leaseMs);
    },
    async redeliver(message) {
      await messages.release([{ id: message.id, fencingToken: message.fencingToken, leaseMs: 0 }]);
      return lease(message.id, 60_000);
    },
    openScope: (metered, message, signal = new AbortController().signal) =>
      metered.openScope({ origin: someOrigin, message, signal }),
    async callRows() {
      const { rows } = await database.query<CallRow>({
        name: 'test.calls',
        text: `select id, message_id, step, ordinal, attempt, state, outcome, settlement, error_type, provider, model, tier,
          operation, answered_model, provider_request_id, tokens, raw_usage, cost_usd::text, upper_bound_usd::text,
          waste_reason, price_reference, first_chunk_ms, answer, answer_ref, parameters, is_suspect, shared_request, cascade_place,
          cascade_models, cascade_verdict, cascade_usd::text, reserved_at
          from millrace.calls order by reserved_at, step, ordinal, attempt`,
      });
      return rows;
    },
    async usageLines() {
      const lines = await outboxLines(database, 'usage');
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    async metricLines(name) {
      const { body } = await metrics.render();
      return body.split('\n').filter((line) => line.startsWith(`millrace_${name}`));
    },
    async clear() {
      await emptyTables(database, [
        'millrace.calls',
        'millrace.messages',
        'millrace.outbox',
        'millrace.failures',
      ]);
      logged.length = 0;
    },
    async close() {
      await payloads.close();
      await database.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** What the work fails with. Fails itself when the work succeeds, or fails with anything but an AppError. */
export async function failureOf(work: PromiseLike<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it should have failed');
}

/** The sum of an amount over usage records; NULL counts as nothing, as in ClickHouse. */
export function sumOfLines(lines: readonly Readonly<Record<string, unknown>>[], column: string): Usd {
  return sumUsd(
    lines.map((line) => {
      const amount = line[column] ?? '0';
      if (typeof amount !== 'string') throw new Error(`${column} is an amount as text`);
      return usd(amount);
    }),
  );
}

function loggerInto(lines: LoggedLine[]): Logger {
  const log =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void => {
      lines.push({ level, message, fields });
    };
  const logger: Logger = {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: () => logger,
  };
  return logger;
}
