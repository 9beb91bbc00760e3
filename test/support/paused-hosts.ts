import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { generateText } from 'ai';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { BullMqQueueDriver } from '../../src/drivers/queue/queue-driver.bullmq.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { newId } from '../../src/kernel/ids.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { openMigratedColumns } from './migrated-columns.ts';
import { RedisServer } from './redis-server.ts';
import { newLedger } from './shared-postgres.ts';

/** What was begun: a handler's run, or a request to a model. */
export interface Begun {
  readonly stage: string;
  readonly customer: string;
  readonly model: string;
  readonly atMs: number;
}

const Asked = (name: string) => defineMessage(`${name}.asked`).version(1, z.object({ model: z.string() }));
export const askedOf = { first: Asked('first'), second: Asked('second') };
const models = ['one', 'two'] as const;
export const customers = ['acme', 'initech', 'hooli'] as const;

/** Hosts over one PostgreSQL and one Redis, whose two stages ask a model for each message. */
export class PausedHosts {
  readonly handled: Begun[] = [];
  readonly requested: Begun[] = [];
  /** When set, models never answer. */
  isHanging = false;
  /** How long a model takes. */
  latencyMs = 5;
  admitted = 0;
  hosts: Host[] = [];
  readonly #redis: RedisServer;
  readonly #columns: ColumnStore;
  readonly #directory: string;
  readonly #connectionString: string;

  private constructor(redis: RedisServer, columns: ColumnStore, directory: string, connectionString: string) {
    this.#redis = redis;
    this.#columns = columns;
    this.#directory = directory;
    this.#connectionString = connectionString;
  }

  static async begin(): Promise<PausedHosts> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-held-hosts-'));
    const redis = await RedisServer.start();
    const columns = await openMigratedColumns({
      directory: join(directory, 'usage'),
      database: 'millrace_test',
    });
    return new PausedHosts(redis, columns, directory, await newLedger());
  }

  /** One host with every role and one more worker, as two processes would be. */
  async startHosts(): Promise<void> {
    this.hosts = [await this.#open(['api', 'maintenance', 'worker']), await this.#open(['worker'])];
    for (const host of this.hosts) await host.start(this.#stages());
  }

  async stopHosts(): Promise<void> {
    for (const host of this.hosts.splice(0)) await host.stop();
  }

  async end(): Promise<void> {
    await this.stopHosts();
    await this.#columns.close();
    await this.#redis.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get first(): Host {
    const [host] = this.hosts;
    if (host === undefined) throw new Error('no host runs');
    return host;
  }

  async admit(
    stage: keyof typeof askedOf,
    parts: { readonly customer?: string; readonly model?: string; readonly batch?: string } = {},
  ): Promise<string> {
    const { customer = 'acme', model = 'scripted/one', batch } = parts;
    const origin = { team: 'blue', customer, feature: 'search', ...(batch === undefined ? {} : { batch }) };
    this.admitted += 1;
    const { messageIds } = await this.first.admissions.admit(askedOf[stage].v1, { model }, { origin });
    return messageIds[0] ?? '';
  }

  /** Keeps messages of every kind coming until the signal aborts. */
  async feed(signal: AbortSignal): Promise<void> {
    for (let n = 0; !signal.aborted; n += 1) {
      if (this.admitted - this.handled.length > 120) await later(5);
      else {
        await this.admit(n % 2 === 0 ? 'first' : 'second', {
          customer: customers[n % customers.length] ?? '',
          model: `scripted/${models[n % 5 === 0 ? 1 : 0]}`,
        });
      }
    }
  }

  /** Rows of a query to the ledger. */
  async rows<Row>(text: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await this.first.stores.database.query<Row>(
      { name: `test.${text}`.slice(0, 60), text },
      parameters,
    );
    return rows;
  }

  async #open(roles: ('api' | 'maintenance' | 'worker')[]): Promise<Host> {
    const configuration = loadConfiguration({
      environment: {},
      options: {
        roles,
        dataDirectory: this.#directory,
        ledger: { url: this.#connectionString },
        queue: { url: this.#redis.url },
        // Several processes need one that they share; these are given theirs below.
        columnStore: { url: 'http://127.0.0.1:1' },
        shutdownGraceMs: 5000,
      },
    });
    const database = await PostgresSqlDatabase.open({
      connectionString: this.#connectionString,
      poolSize: 6,
      statementTimeoutMs: 10_000,
      applicationName: 'held-hosts',
    });
    const queues = await BullMqQueueDriver.open({ prefix: 'held', url: this.#redis.url });
    const payloads = await new FilesPayloadStore({ directory: join(this.#directory, 'payloads') }).open(
      new Date(),
    );
    const model = (modelId: string) =>
      new ScriptedModel(async () => {
        this.requested.push({
          stage: '',
          customer: '',
          model: `scripted/${modelId}`,
          atMs: performance.now(),
        });
        if (this.isHanging) return { hang: true };
        await later(this.latencyMs);
        return { text: 'fine', modelId };
      }, modelId);
    return await Host.over({
      configuration,
      logger: silentLogger,
      worker: `worker-${newId(new Date())}`,
      stores: {
        database,
        columns: this.#columns,
        queues,
        payloads,
        eventLogs: new MemoryEventLogDriver({ clock: systemClock }),
        isEmbedded: false,
        close: async () => {
          await queues.close();
          await database.close();
        },
      },
      modelProviders: { scripted: { kind: 'custom', model } },
    });
  }

  #stages(): readonly RegisteredStage[] {
    return (['first', 'second'] as const).map((name) => ({
      definition: defineStage(name, { consumes: askedOf[name].upTo(1), pipeline: 'held', concurrency: 8 }),
      handler: {
        handle: async (
          message: {
            readonly data: { readonly model: string };
            readonly origin: { readonly customer: string };
          },
          context: StageContext,
        ) => {
          const begun = { stage: name, customer: message.origin.customer, model: message.data.model };
          this.handled.push({ ...begun, atMs: performance.now() });
          const { text } = await generateText({
            model: context.model(message.data.model, { step: 'answer' }),
            prompt: 'Well?',
            abortSignal: context.signal,
            maxRetries: 0,
          });
          return text;
        },
      },
    })) as unknown as readonly RegisteredStage[];
  }
}
