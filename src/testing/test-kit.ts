import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import {
  type DynamicModule,
  type INestApplicationContext,
  Module,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { z } from 'zod';
import { MemoryEventLogDriver } from '../drivers/event-log/event-log.memory.ts';
import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import { FilesPayloadStore } from '../drivers/payload-store/payload-store.files.ts';
import type { SqlStatement } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import { formatUsd, usd } from '../kernel/money.ts';
import { StartTimes } from '../engine/ledger/start-times.ts';
import { loadOptional } from '../kernel/optional-package.ts';
import { waitsForEvent } from '../engine/ledger/event-wait-sql.ts';
import { waitsForJoin } from '../engine/ledger/join-sql.ts';
import { SweepLedger } from '../engine/ledger/sweep-ledger.ts';
import type { MessageState } from '../engine/ledger/message-state.ts';
import type { MessageVersion } from '../messages/message-type.ts';
import type { AdmitOptions } from '../engine/pipeline/admissions.ts';
import type { DataOf } from '../engine/pipeline/stage-context.ts';
import type { Logger } from '../telemetry/logger.ts';
import { silentLogger } from '../telemetry/silent-logger.ts';
import { Host } from '../host/host.ts';
import { loadConfiguration } from '../host/load-configuration.ts';
import { Millrace } from '../host/millrace.ts';
import { MillraceModule } from '../host/millrace.module.ts';
import { InlineQueueDriver } from './inline-queue-driver.ts';
import { RecordedPrompts } from './recorded-prompts.ts';
import { TestClock } from './test-clock.ts';
import { type RunMessage, TestRun } from './test-run.ts';

/*
 * The test kit: a whole Millrace in the test's own process. The ledger is the real one, in memory; messages run one
 * after another in a fixed order; models answer by a script; no test waits for time, which it sets forward.
 */

/** What a test sets up. */
export interface TestKitOptions {
  /** Stages, and whatever they inject. */
  readonly providers?: readonly Provider[];
  readonly imports?: readonly (Type | DynamicModule)[];
  /** Models by "provider/model": a ScriptedModel, or any AI SDK model. Priced as the real one of that name. */
  readonly models?: Readonly<Record<string, LanguageModelV4 | EmbeddingModelV4>>;
  /** Whose price list applies to a provider of one's own: `{ eu: 'openai' }`, as `priceProvider` in the configuration. */
  readonly priceProviders?: Readonly<Record<string, string>>;
  readonly logger?: Logger;
}

const startSlice = 500;

/** Well below the shortest time for which a renewal may stay out. */
const longestStepMs = 4000;

/** What a kit has beside its host. */
interface Surroundings {
  readonly directory: string;
  readonly queues: InlineQueueDriver;
  readonly prompts: RecordedPrompts;
  readonly clock: TestClock;
}

const listMessages: SqlStatement = {
  name: 'testing.list_messages',
  text: `select id, type, stage, state, body, body_ref, result, attempts, error_code from millrace.messages
   where root_id = any($1::uuid[]) order by created_at, id`,
};

const listFailures: SqlStatement = {
  name: 'testing.list_failures',
  text: `select distinct on (f.message_id) f.message_id, f.detail from millrace.failures f
   join millrace.messages m on m.id = f.message_id where m.root_id = any($1::uuid[]) order by f.message_id, f.fencing_token desc`,
};

const listCalls: SqlStatement = {
  name: 'testing.list_calls',
  text: `select c.id, m.stage, c.step, c.provider, c.model, c.outcome, c.cost_usd::text as cost_usd
   from millrace.calls c join millrace.messages m on m.id = c.message_id
   where m.root_id = any($1::uuid[]) order by c.reserved_at, c.id`,
};

const sweepSlice = 500;

const letTimePass: SqlStatement = {
  name: 'testing.let_time_pass',
  text: `update millrace.messages set available_at = available_at - $1::float8 * interval '1 millisecond',
     start_at = start_at - $1::float8 * interval '1 millisecond',
     sweep_at = case when parked_for in ('${waitsForJoin}', '${waitsForEvent}') then sweep_at - $1::float8 * interval '1 millisecond' else sweep_at end
   where state = 'pending'`,
};

interface ListedMessage {
  readonly id: string;
  readonly type: string;
  readonly stage: string;
  readonly state: MessageState;
  readonly body: string | null;
  readonly body_ref: string | null;
  readonly result: string | null;
  readonly attempts: number;
  readonly error_code: string | null;
}

interface ListedFailure {
  readonly message_id: string;
  readonly detail: string;
}

interface ListedCall {
  readonly id: string;
  readonly stage: string;
  readonly step: string;
  readonly provider: string;
  readonly model: string;
  readonly outcome: string | null;
  readonly cost_usd: string | null;
}

const failureSchema = z.object({
  chain: z.array(z.object({ code: z.string().optional(), name: z.string().optional(), message: z.string() })),
});

/** "MILLRACE_MODEL_BAD_REQUEST: the model refused …; caused by AI_APICallError: bad" */
function errorText(detail: string): string {
  return failureSchema
    .parse(JSON.parse(detail))
    .chain.map(({ code, name, message }) => `${code ?? name ?? 'thrown'}: ${message}`)
    .join('; caused by ');
}

/** A Millrace in the hands of a test. Close it at the end. */
export class TestKit {
  readonly millrace: Millrace;
  readonly #host: Host;
  readonly #nest: INestApplicationContext;
  readonly #queues: InlineQueueDriver;
  readonly #directory: string;
  readonly #prompts: RecordedPrompts;
  readonly #clock: TestClock;

  private constructor(nest: INestApplicationContext, { queues, directory, prompts, clock }: Surroundings) {
    this.#nest = nest;
    this.#queues = queues;
    this.#directory = directory;
    this.#prompts = prompts;
    this.#clock = clock;
    this.#host = nest.get(Host);
    this.millrace = nest.get(Millrace);
  }

  static async create(options: TestKitOptions = {}): Promise<TestKit> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-test-kit-'));
    const surroundings = {
      directory,
      queues: new InlineQueueDriver(),
      prompts: new RecordedPrompts(),
      clock: new TestClock(),
    };
    let host: Host | undefined;
    try {
      host = await openHost(options, surroundings);
      const root: DynamicModule = {
        module: TestApplication,
        imports: [MillraceModule.forHost(host), ...(options.imports ?? [])],
        providers: [...(options.providers ?? [])],
      };
      const nest = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
      return new TestKit(nest, surroundings);
    } catch (error) {
      // Nest runs no hooks of an application that it refused to build.
      await host?.stop();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Admits a message and runs everything that is due, until nothing is. */
  async run<Version extends MessageVersion>(
    version: Version,
    data: DataOf<Version>,
    options: AdmitOptions,
  ): Promise<TestRun> {
    const { messageIds } = await this.millrace.admit(version, data, options);
    await this.runDue();
    return this.look(messageIds);
  }

  /**
   * Lets time pass: pauses between attempts, and the time limits of stages and calls that are under way. Then runs what is
   * due. A handler that waits can have it called by the test beside it, or call it itself.
   */
  async advance(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0;) {
      // Leases are renewed on the way, as they would have been.
      const stepMs = this.#host.isWorking ? Math.min(leftMs, longestStepMs) : leftMs;
      leftMs -= stepMs;
      const { database } = this.#host.stores;
      await database.query(letTimePass, [stepMs]);
      // Messages whose wait is over; nobody else looks for them here.
      for (const { stage } of await new SweepLedger(database).sweep(sweepSlice))
        await this.#queues.queue(stage).add([{}]);
      this.#queues.nowMs += stepMs;
      this.#clock.advance(stepMs);
      await this.#host.settleLeases();
    }
    await this.runDue();
  }

  /** Runs everything that is due. */
  async runDue(): Promise<void> {
    const starts = new StartTimes(this.#host.stores.database);
    do {
      for (const { stage } of await starts.startDue(startSlice)) await this.#queues.queue(stage).add([{}]);
      await this.#host.settlePublishing();
    } while (await this.#queues.runNext());
  }

  /** What has come of admitted messages so far. */
  async look(rootIds: readonly string[]): Promise<TestRun> {
    const { database, payloads } = this.#host.stores;
    const { rows } = await database.query<ListedMessage>(listMessages, [rootIds]);
    const { rows: failures } = await database.query<ListedFailure>(listFailures, [rootIds]);
    const { rows: calls } = await database.query<ListedCall>(listCalls, [rootIds]);
    const errors = new Map(failures.map((failure) => [failure.message_id, errorText(failure.detail)]));
    const messages = rows.map(async (row): Promise<RunMessage> => {
      const json = row.body ?? Buffer.from(await payloads.get(row.body_ref ?? '')).toString();
      return {
        type: row.type,
        stage: row.stage,
        state: row.state,
        data: JSON.parse(json) as unknown,
        result: row.result === null ? undefined : (JSON.parse(row.result) as unknown),
        attempts: row.attempts,
        errorCode: row.error_code ?? undefined,
        error: errors.get(row.id),
      };
    });
    return new TestRun(
      await Promise.all(messages),
      calls.map((call) => ({
        stage: call.stage,
        step: call.step,
        model: `${call.provider}/${call.model}`,
        outcome: call.outcome ?? undefined,
        usd: call.cost_usd === null ? undefined : formatUsd(usd(call.cost_usd)),
        prompt: this.#prompts.ofCall(call.id),
      })),
    );
  }

  async close(): Promise<void> {
    await this.#nest.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Usage records stay in the ledger, where `spend` reads them. */
const absentColumnStore: ColumnStore = {
  kind: 'chdb',
  database: 'absent',
  query: () => Promise.reject(noColumnStore()),
  command: () => Promise.reject(noColumnStore()),
  insert: () => Promise.reject(noColumnStore()),
  ping: () => Promise.reject(noColumnStore()),
  close: () => Promise.resolve(),
};

function noColumnStore(): AppError {
  return new AppError(
    'MILLRACE_COLUMN_STORE_UNAVAILABLE',
    'The test kit has no column store: ask the run what it spent.',
  );
}

@Module({})
class TestApplication {}

async function openHost(
  options: TestKitOptions,
  { directory, queues, prompts, clock }: Surroundings,
): Promise<Host> {
  const { openMigratedPglite } = await loadOptional(
    'The test kit',
    ['@electric-sql/pglite'],
    () => import('../drivers/sql-database/migrated-pglite.ts'),
  );
  const database = await openMigratedPglite();
  const payloads = await new FilesPayloadStore({ directory: join(directory, 'payloads') }).open(clock.now());
  const byProvider = Map.groupBy(
    Object.entries(options.models ?? {}),
    ([reference]) => reference.split('/', 1)[0] ?? '',
  );
  const configuration = loadConfiguration({
    environment: {},
    options: {
      dataDirectory: directory,
      // They judge by real time, which stands still for a test.
      limits: { circuit: { enabled: false }, retryBudget: { enabled: false } },
    },
  });
  const { retryAfter } = configuration.models;
  return Host.over({
    configuration: {
      ...configuration,
      // Blocks of a model end in real time, too: a refusal with `retry-after` holds up its own message only.
      models: { ...configuration.models, retryAfter: { ...retryAfter, maxModelMs: 0 } },
      // No maintenance process: nothing runs but what the test lets run.
      roles: ['worker'],
    },
    logger: options.logger ?? silentLogger,
    clock,
    stores: {
      database,
      payloads,
      queues,
      columns: absentColumnStore,
      eventLogs: new MemoryEventLogDriver({ clock }),
      isEmbedded: true,
      close: () => database.close(),
    },
    modelProviders: Object.fromEntries(
      [...byProvider].map(([provider, models]) => {
        const byReference = new Map(models);
        const model = (modelId: string): LanguageModelV4 | EmbeddingModelV4 => {
          const found = byReference.get(`${provider}/${modelId}`);
          if (found === undefined)
            throw new Error(`the test kit was given no model "${provider}/${modelId}"`);
          return prompts.watch(found);
        };
        const priceProvider = options.priceProviders?.[provider] ?? provider;
        return [provider, { kind: 'custom' as const, identify: true, priceProvider, model }];
      }),
    ),
  });
}
