import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { BullMqQueueDriver } from '../../src/drivers/queue/queue-driver.bullmq.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { PostgresServer } from './postgres-server.ts';
import { type RecordedLine, recordingLogger } from './recording-logger.ts';
import { RedisServer } from './redis-server.ts';

/** Several hosts that work on one ledger, as worker processes do. Their usage records stay in the ledger's outbox. */
export interface WorkerHosts {
  readonly hosts: readonly Host[];
  /** What all of them logged. */
  readonly lines: RecordedLine[];
  /** For looking at the ledger. */
  readonly database: SqlDatabase;
  /** For taking the ledger away from them. */
  readonly postgres: PostgresServer;
  close(): Promise<void>;
}

/** For hosts without a maintenance process, which export nothing. */
export const absentColumns: ColumnStore = {
  kind: 'chdb',
  database: 'absent',
  query: () => Promise.reject(noColumns()),
  command: () => Promise.reject(noColumns()),
  insert: () => Promise.reject(noColumns()),
  ping: () => Promise.reject(noColumns()),
  close: () => Promise.resolve(),
};

function noColumns(): AppError {
  return new AppError('MILLRACE_COLUMN_STORE_UNAVAILABLE', 'These hosts export nothing.');
}

/** Starts hosts over PostgreSQL and Redis of their own. */
export async function startWorkerHosts(
  count: number,
  stages: readonly RegisteredStage[],
  options: ConfigurationInput,
): Promise<WorkerHosts> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end();
  };
  try {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-hosts-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const server = await PostgresServer.start();
    closing.push(() => server.stop());
    const redis = await RedisServer.start();
    closing.push(() => redis.stop());
    const connectionString = await server.createLedger('hosts');
    const open = (applicationName: string): Promise<SqlDatabase> =>
      PostgresSqlDatabase.open({
        connectionString,
        poolSize: 6,
        statementTimeoutMs: 15_000,
        applicationName,
      });
    const database = await open('observer');
    closing.push(() => database.close());
    const { logger, lines } = recordingLogger();
    const hosts: Host[] = [];
    for (let n = 1; n <= count; n += 1) {
      const own = await open(`worker-${n}`);
      const queues = await BullMqQueueDriver.open({ url: redis.url, prefix: 'hosts' });
      const payloads = await new FilesPayloadStore({ directory }).open(new Date());
      const host = await Host.over({
        configuration: {
          ...loadConfiguration({ environment: {}, options: { dataDirectory: directory, ...options } }),
          roles: ['worker'],
        },
        logger,
        worker: `worker-${n}`,
        stores: {
          database: own,
          queues,
          payloads,
          columns: absentColumns,
          eventLogs: new MemoryEventLogDriver({ clock: systemClock }),
          isEmbedded: false,
          async close() {
            await queues.close();
            await payloads.close();
            await own.close();
          },
        },
      });
      closing.push(() => host.stop());
      await host.start(stages);
      hosts.push(host);
    }
    return { hosts, lines, database, postgres: server, close };
  } catch (error) {
    await close();
    throw error;
  }
}
