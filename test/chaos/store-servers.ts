import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { fillColumnsDirectory } from '../support/migrated-columns.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { DatabasePath } from './database-path.ts';
import type { ChaosSettings } from './chaos-settings.ts';
import { isOverWithin, pause } from './host-process.ts';
import { type QueueKind, type QueueServer, startQueueServer } from './queue-server.ts';

/** PostgreSQL, the queue's server and ClickHouse of a run, which can be taken away and come back. */
export class StoreServers {
  readonly postgres: PostgresServer;
  readonly queue: QueueServer;
  readonly clickHouse: ClickHouseHttpServer;
  /** The way of one worker to PostgreSQL. */
  readonly path: DatabasePath;
  readonly #postgresUrl: string;

  private constructor(
    postgres: PostgresServer,
    queue: QueueServer,
    clickHouse: ClickHouseHttpServer,
    url: string,
    path: DatabasePath,
  ) {
    this.path = path;
    this.postgres = postgres;
    this.queue = queue;
    this.clickHouse = clickHouse;
    this.#postgresUrl = url;
  }

  /** `isMigrated`: the ledger and the column store have the migrations, which else the first process applies. */
  static async start(
    directory: string,
    { queue: queueKind, isMigrated }: { readonly queue: QueueKind; readonly isMigrated: boolean },
  ): Promise<StoreServers> {
    const columns = join(directory, 'clickhouse');
    if (isMigrated) await fillColumnsDirectory(columns);
    else mkdirSync(columns, { recursive: true });
    const clickHouse = new ClickHouseHttpServer(columns);
    const [postgres, queue] = await Promise.all([
      PostgresServer.start({ settings: { max_connections: '60' } }),
      startQueueServer(queueKind),
      clickHouse.start(),
    ]);
    const url = await (isMigrated ? postgres.createLedger('chaos') : postgres.createDatabase('chaos'));
    return new StoreServers(postgres, queue, clickHouse, url, await DatabasePath.open(url));
  }

  get settings(): NonNullable<ChaosSettings['services']> {
    return {
      postgresUrl: this.#postgresUrl,
      queueUrl: this.queue.url,
      clickHouse: { url: this.clickHouse.url, user: serverUser, password: serverPassword },
    };
  }

  /** The database by the way that can be cut. */
  get cuttablePostgresUrl(): string {
    return this.path.urlOf(this.#postgresUrl);
  }

  async clickHouseSlow(times: number, delayMs: number): Promise<void> {
    for (let turn = 0; turn < times; turn += 1)
      await this.clickHouse.arm({ statement: 'INSERT', kind: 'slow', delayMs });
  }

  async queueAway(awayMs: number): Promise<void> {
    await this.queue.kill();
    await pause(awayMs);
    await this.queue.restart();
  }

  async queueReadOnly(forMs: number): Promise<void> {
    await this.queue.setReadOnly(true);
    await pause(forMs);
    await this.queue.setReadOnly(false);
  }

  async queueFull(forMs: number): Promise<void> {
    await this.queue.setFull(true);
    await pause(forMs);
    await this.queue.setFull(false);
  }

  async postgresReadOnly(forMs: number): Promise<void> {
    await this.postgres.setReadOnly(true);
    await pause(forMs);
    await this.postgres.setReadOnly(false);
  }

  async postgresAway(awayMs: number): Promise<void> {
    await this.postgres.kill();
    await pause(awayMs);
    await this.postgres.restart();
  }

  async clickHouseAway(awayMs: number): Promise<void> {
    await this.clickHouse.kill();
    await pause(awayMs);
    await this.clickHouse.start();
  }

  /** The next insert fails; after a death the server comes back. Resolves at once when no insert comes in time. */
  async clickHouseFails(
    how: 'die-after' | 'cut' | 'refuse',
    awayMs: number,
    timeoutMs: number,
  ): Promise<void> {
    const insert = { statement: 'INSERT' } as const;
    if (how === 'refuse') {
      await this.clickHouse.arm({
        ...insert,
        kind: 'refuse',
        code: 241,
        name: 'MEMORY_LIMIT_EXCEEDED',
        status: 500,
      });
      return;
    }
    await this.clickHouse.arm({ ...insert, kind: how });
    if (how === 'cut') return;
    const died = await isOverWithin(this.clickHouse.died(), timeoutMs);
    if (!died) await this.clickHouse.kill();
    await pause(awayMs);
    await this.clickHouse.start();
  }

  async stop(): Promise<void> {
    await this.path.close();
    await Promise.all([this.postgres.stop(), this.queue.stop(), this.clickHouse.stop()]);
  }
}
