import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { openDatabase, openPayloads, openQueues } from '../../src/host/stores.ts';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import type { ProviderConfig } from '../../src/engine/providers/provider-config.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { openMigratedColumns } from './migrated-columns.ts';
import { PostgresServer } from './postgres-server.ts';
import { RedisServer } from './redis-server.ts';

export interface HostParts {
  readonly stages: readonly RegisteredStage[];
  readonly modelProviders: Readonly<Record<string, ProviderConfig>>;
  readonly config: ConfigurationInput;
  /** The clock of its machine. */
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/**
 * Hosts over one PostgreSQL and one Redis, each with connections of its own, as processes would have them. They share
 * one embedded column store, of which a process can have no more.
 */
export class SeveralHosts {
  readonly #postgres: PostgresServer;
  /** The server of their queues. */
  readonly redis: RedisServer;
  readonly #columns: ColumnStore;
  readonly #directory: string;
  #hosts: Host[] = [];
  #count = 0;

  private constructor(postgres: PostgresServer, redis: RedisServer, columns: ColumnStore, directory: string) {
    this.#postgres = postgres;
    this.redis = redis;
    this.#columns = columns;
    this.#directory = directory;
  }

  static async begin(): Promise<SeveralHosts> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-hosts-'));
    await mkdir(join(directory, 'usage'));
    const columns = await openMigratedColumns({
      directory: join(directory, 'usage'),
      database: 'millrace_test',
    });
    return new SeveralHosts(await PostgresServer.start(), await RedisServer.start(), columns, directory);
  }

  /** The server of the ledgers. */
  get postgresUrl(): string {
    return this.#postgres.connectionString;
  }

  /** The connection of an empty ledger. */
  newLedger(name: string): Promise<string> {
    return this.#postgres.createLedger(name);
  }

  async start(
    ledgerUrl: string,
    { stages, modelProviders, config, clock, logger = silentLogger }: HostParts,
  ): Promise<Host> {
    this.#count += 1;
    const configuration = loadConfiguration({
      environment: {},
      options: {
        dataDirectory: join(this.#directory, String(this.#count)),
        ...config,
        ledger: { poolSize: 4, ...config.ledger, url: ledgerUrl },
        queue: { url: this.redis.url, prefix: ledgerUrl.split('/').at(-1) ?? 'test' },
      },
    });
    const database = await openDatabase(configuration, `host-${this.#count}`);
    const queues = await openQueues(configuration);
    const payloads = await openPayloads(configuration);
    const stores = {
      database,
      queues,
      payloads,
      columns: this.#columns,
      eventLogs: new MemoryEventLogDriver({ clock: systemClock }),
      isEmbedded: false,
      close: async () => {
        await queues.close();
        await payloads.close();
        await database.close();
      },
    };
    const host = await Host.over({
      configuration,
      logger,
      modelProviders,
      stores,
      ...(clock === undefined ? {} : { clock }),
    });
    this.#hosts.push(host);
    await host.start(stages);
    return host;
  }

  async stopHosts(): Promise<void> {
    await Promise.all(this.#hosts.splice(0).map((host) => host.stop()));
  }

  async end(): Promise<void> {
    await this.stopHosts();
    await this.#columns.close();
    await this.redis.stop();
    await this.#postgres.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
