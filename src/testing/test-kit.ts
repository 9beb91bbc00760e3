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
import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import { FilesPayloadStore } from '../drivers/payload-store/payload-store.files.ts';
import { openMigratedPglite } from '../drivers/sql-database/migrated-pglite.ts';
import type { SqlStatement } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import { formatUsd, sumUsd, usd } from '../kernel/money.ts';
import type { MessageState } from '../ledger/message-state.ts';
import type { MessageVersion } from '../messages/message-type.ts';
import type { AdmitOptions } from '../pipeline/admissions.ts';
import type { DataOf } from '../pipeline/stage-context.ts';
import type { Logger } from '../telemetry/logger.ts';
import { silentLogger } from '../telemetry/silent-logger.ts';
import { Host } from '../app/host.ts';
import { loadConfiguration } from '../app/load-configuration.ts';
import { Millrace } from '../app/millrace.ts';
import { MillraceModule } from '../app/millrace.module.ts';
import { InlineQueueDriver } from './inline-queue-driver.ts';

/*
 * The test kit: a whole Millrace in the test's own process. The ledger is the real one, in memory; messages run one
 * after another in a fixed order; models answer by a script; time stands until the test lets it go on.
 */

/** What a test sets up. */
export interface TestKitOptions {
  /** Stages, and whatever they inject. */
  readonly providers?: readonly Provider[];
  readonly imports?: readonly (Type | DynamicModule)[];
  /** Models by "provider/model": a ScriptedModel, or any AI SDK model. Priced as the real one of that name. */
  readonly models?: Readonly<Record<string, LanguageModelV4 | EmbeddingModelV4>>;
  readonly logger?: Logger;
}

/** One message that exists after a run. */
export interface RunMessage {
  readonly type: string;
  readonly stage: string;
  readonly state: MessageState;
  readonly data: unknown;
  /** What the handler returned. */
  readonly result: unknown;
  readonly attempts: number;
  readonly errorCode: string | undefined;
}

/** What calls cost, for `expect(run.spend()).toEqual(…)`. */
export interface RunSpend {
  /** Requests that reached a model. */
  readonly calls: number;
  /** The exact cost of the priced ones, as a decimal text. */
  readonly usd: string;
}

const listMessages: SqlStatement = {
  name: 'testing.list_messages',
  text: `select type, stage, state, body, body_ref, result, attempts, error_code from millrace.messages
   where root_id = any($1::uuid[]) order by created_at, id`,
};

const listCosts: SqlStatement = {
  name: 'testing.list_costs',
  text: `select coalesce(c.cost_usd, 0)::text as cost_usd from millrace.calls c join millrace.messages m on m.id = c.message_id
   where m.root_id = any($1::uuid[])`,
};

const letTimePass: SqlStatement = {
  name: 'testing.let_time_pass',
  text: `update millrace.messages set available_at = available_at - $1::float8 * interval '1 millisecond' where state = 'pending'`,
};

interface ListedMessage {
  readonly type: string;
  readonly stage: string;
  readonly state: MessageState;
  readonly body: string | null;
  readonly body_ref: string | null;
  readonly result: string | null;
  readonly attempts: number;
  readonly error_code: string | null;
}

/** What came of an admitted message and of all that followed from it, as of now. */
export class TestRun {
  readonly messages: readonly RunMessage[];
  readonly #costs: readonly string[];

  constructor(messages: readonly RunMessage[], costs: readonly string[]) {
    this.messages = messages;
    this.#costs = costs;
  }

  /** The state of the admitted message itself. */
  get state(): MessageState | undefined {
    return this.messages[0]?.state;
  }

  /** The data of all messages of this version's type that were emitted, in order. */
  emitted<Version extends MessageVersion>(version: Version): readonly DataOf<Version>[] {
    return this.messages
      .slice(1)
      .filter((message) => message.type === version.typeName)
      .map((message) => message.data as DataOf<Version>);
  }

  /** What all calls of this message and its followers cost. */
  spend(): RunSpend {
    return { calls: this.#costs.length, usd: formatUsd(sumUsd(this.#costs.map((cost) => usd(cost)))) };
  }
}

/** A Millrace in the hands of a test. Close it at the end. */
export class TestKit {
  readonly millrace: Millrace;
  readonly #host: Host;
  readonly #nest: INestApplicationContext;
  readonly #queues: InlineQueueDriver;
  readonly #directory: string;

  private constructor(nest: INestApplicationContext, queues: InlineQueueDriver, directory: string) {
    this.#nest = nest;
    this.#queues = queues;
    this.#directory = directory;
    this.#host = nest.get(Host);
    this.millrace = nest.get(Millrace);
  }

  static async create(options: TestKitOptions = {}): Promise<TestKit> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-test-kit-'));
    const queues = new InlineQueueDriver();
    const host = await openHost(options, directory, queues);
    const root: DynamicModule = {
      module: TestApplication,
      imports: [MillraceModule.forHost(host), ...(options.imports ?? [])],
      providers: [...(options.providers ?? [])],
    };
    const nest = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
    return new TestKit(nest, queues, directory);
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

  /** Lets time pass, as far as pauses between attempts are concerned, and runs what is due then. */
  async advance(ms: number): Promise<void> {
    await this.#host.stores.database.query(letTimePass, [ms]);
    this.#queues.nowMs += ms;
    await this.runDue();
  }

  /** Runs everything that is due. */
  async runDue(): Promise<void> {
    do await this.#host.settlePublishing();
    while (await this.#queues.runNext());
  }

  /** What has come of admitted messages so far. */
  async look(rootIds: readonly string[]): Promise<TestRun> {
    const { database, payloads } = this.#host.stores;
    const { rows } = await database.query<ListedMessage>(listMessages, [rootIds]);
    const { rows: costs } = await database.query<{ cost_usd: string }>(listCosts, [rootIds]);
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
      };
    });
    return new TestRun(
      await Promise.all(messages),
      costs.map((cost) => cost.cost_usd),
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
  directory: string,
  queues: InlineQueueDriver,
): Promise<Host> {
  const database = await openMigratedPglite();
  const payloads = await new FilesPayloadStore({ directory: join(directory, 'payloads') }).open(new Date());
  const byProvider = Map.groupBy(
    Object.entries(options.models ?? {}),
    ([reference]) => reference.split('/', 1)[0] ?? '',
  );
  return Host.over({
    // No relay: nothing runs but what the test lets run.
    configuration: {
      ...loadConfiguration({
        environment: {},
        options: {
          dataDirectory: directory,
          // They judge by real time, which stands still for a test.
          models: { breaker: { enabled: false }, retryBudget: { enabled: false } },
        },
      }),
      roles: ['worker'],
    },
    logger: options.logger ?? silentLogger,
    stores: {
      database,
      payloads,
      queues,
      columns: absentColumnStore,
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
          return found;
        };
        return [provider, { kind: 'custom' as const, model }];
      }),
    ),
  });
}
