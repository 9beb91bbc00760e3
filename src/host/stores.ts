import { join, resolve } from 'node:path';
import { migrateColumnStore } from '../drivers/column-store/column-migrator.ts';
import { connectClickHouse, openChdb } from '../drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import type { EventLogDriver } from '../drivers/event-log/event-log-driver.ts';
import { MemoryEventLogDriver } from '../drivers/event-log/event-log.memory.ts';
import { RedisEventLogDriver } from '../drivers/event-log/event-log.redis.ts';
import { FilesPayloadStore } from '../drivers/payload-store/payload-store.files.ts';
import type { PayloadStore } from '../drivers/payload-store/payload-store.ts';
import { BullMqQueueDriver } from '../drivers/queue/queue-driver.bullmq.ts';
import { MemoryQueueDriver } from '../drivers/queue/queue-driver.memory.ts';
import type { QueueDriver } from '../drivers/queue/queue.ts';
import { migrate } from '../drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../drivers/sql-database/sql-database.postgres.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { systemClock } from '../kernel/clock.ts';
import { loadOptional } from '../kernel/optional-package.ts';
import { makePrivateDirectory } from '../kernel/private-directory.ts';
import type { Configuration } from './configuration.ts';
import { LateColumnStore } from './late-column-store.ts';

/** The stores, whichever technology is behind them. */
export interface Stores {
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
  readonly queues: QueueDriver;
  readonly payloads: PayloadStore;
  /** What is told of requests while they are worked on: a view, which may be lost. */
  readonly eventLogs: EventLogDriver;
  /** True when this process alone owns the ledger (embedded): whatever another left leased is free. */
  readonly isEmbedded: boolean;
  /** Closes them in the reverse order of opening. */
  close(): Promise<void>;
}

const requestTimeoutMs = 30_000;

/** Embedded stores come together: one error names both missing packages. */
const embeddedPackages = ['@electric-sql/pglite', 'chdb'];

/**
 * Opens the stores that the configuration names, and brings their schemas up to date. What was opened is closed again
 * when a later one cannot be. `onStep` is told what is opened next.
 */
export async function openStores(
  configuration: Configuration,
  worker: string,
  onStep: (what: string) => void = () => undefined,
): Promise<Stores> {
  const opened: { close(): Promise<void> }[] = [];
  const closeAll = async (): Promise<void> => {
    for (const store of opened.toReversed()) await store.close();
  };
  const keep = <Store extends { close(): Promise<void> }>(store: Store): Store => {
    opened.push(store);
    return store;
  };
  try {
    onStep('the ledger');
    const { migrate: migrates } = configuration.startup;
    const database = keep(await openDatabase(configuration, worker, { migrates }));
    if (migrates) await migrate(database);
    onStep('the payload store');
    const payloads = keep(await openPayloads(configuration));
    onStep('the store of usage records');
    const columns = keep(await openMigratedColumns(configuration));
    onStep('the queues');
    const queues = keep(await openQueues(configuration));
    const eventLogs = keep(openEventLogs(configuration));
    return {
      database,
      columns,
      queues,
      payloads,
      eventLogs,
      isEmbedded: configuration.ledger.url === undefined,
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/**
 * The ledger's database, as it is: nothing is migrated. A new embedded one has the migrations from the start where its caller will see to
 * them: they are in what it is copied from.
 */
export async function openDatabase(
  { ledger, dataDirectory }: Configuration,
  worker: string,
  { migrates = false }: { readonly migrates?: boolean } = {},
): Promise<SqlDatabase> {
  if (ledger.url === undefined) {
    const { PgliteSqlDatabase, migratedArchive } = await loadOptional(
      'The embedded ledger',
      embeddedPackages,
      async () => ({
        ...(await import('../drivers/sql-database/sql-database.pglite.ts')),
        ...(await import('../drivers/sql-database/migrated-pglite.ts')),
      }),
    );
    return PgliteSqlDatabase.open({
      dataDirectory: join(resolve(dataDirectory), 'ledger'),
      ...(migrates ? { archive: migratedArchive } : {}),
    });
  }
  return PostgresSqlDatabase.open({
    connectionString: ledger.url,
    poolSize: ledger.poolSize,
    statementTimeoutMs: ledger.statementTimeoutMs,
    isPooled: ledger.pooled,
    applicationName: `millrace ${worker}`,
  });
}

/** A process that neither exports nor reports does not even ask for ClickHouse at its start. */
async function openMigratedColumns(configuration: Configuration): Promise<ColumnStore> {
  const columns = await openColumns(configuration);
  if (!configuration.startup.migrate) return columns;
  const late = new LateColumnStore(columns, (store) => migrateColumnStore(store, clusterOf(configuration)));
  const isNeeded = columns.kind === 'chdb' || configuration.roles.some((role) => role !== 'worker');
  try {
    if (isNeeded) await late.tryToMigrate();
  } catch (error) {
    await late.close();
    throw error;
  }
  return late;
}

/** The column store, as it is: nothing is migrated. */
export async function openColumns({ columnStore, dataDirectory }: Configuration): Promise<ColumnStore> {
  const { url, user, password, database } = columnStore;
  if (url === undefined) {
    const directory = join(resolve(dataDirectory), 'usage');
    makePrivateDirectory(directory);
    return await loadOptional('The embedded ClickHouse', embeddedPackages, () =>
      openChdb({ directory, database }),
    );
  }
  return connectClickHouse({ url, user, password, database, requestTimeoutMs, maxConnections: 10 });
}

/** The payload store. */
export async function openPayloads({ payloads, dataDirectory }: Configuration): Promise<PayloadStore> {
  const { bucket, region, endpoint, accessKeyId, secretAccessKey } = payloads;
  if (bucket === undefined) {
    return new FilesPayloadStore({ directory: join(resolve(dataDirectory), 'payloads') }).open(
      systemClock.now(),
    );
  }
  const { S3PayloadStore } = await loadOptional(
    'The payload store on S3',
    ['@aws-sdk/client-s3'],
    () => import('../drivers/payload-store/payload-store.s3.ts'),
  );
  return new S3PayloadStore({
    bucket,
    region,
    prefix: 'millrace/',
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
    requestTimeoutMs,
    maxAttempts: 3,
  });
}

/** The queues. Embedded ones are in memory and begin empty each time: the ledger fills them again. */
export async function openQueues({ queue }: Configuration): Promise<QueueDriver> {
  const { prefix, url } = queue;
  return url === undefined
    ? new MemoryQueueDriver(systemClock)
    : await BullMqQueueDriver.open({ prefix, url });
}

/** Logs of live events: on the Redis of the queues where there is one, in the memory of this process otherwise. */
function openEventLogs({ queue: { prefix, url } }: Configuration): EventLogDriver {
  return url !== undefined && /^rediss?:/i.test(url.trim())
    ? RedisEventLogDriver.open({ prefix, url })
    : new MemoryEventLogDriver({ clock: systemClock });
}

/** What the column store's migrations need to know of a cluster. */
export function clusterOf({ columnStore }: Configuration): { readonly cluster?: string } {
  return columnStore.cluster === undefined ? {} : { cluster: columnStore.cluster };
}
