import { connectClickHouse } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import { BullMqQueueDriver } from '../../src/drivers/queue/queue-driver.bullmq.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { serverPassword, serverUser } from './clickhouse-http-server.ts';

/*
 * A client in a process of its own, because Node reads NODE_EXTRA_CA_CERTS when it starts: asks the store at the given
 * address something, and tells as JSON what came of it.
 */

const [store = '', url = ''] = process.argv.slice(2);

async function askRedis(): Promise<unknown> {
  const driver = await BullMqQueueDriver.open({ url, prefix: 'tls' });
  try {
    await driver.ping();
    return await driver.wasKept();
  } finally {
    await driver.close();
  }
}

async function askClickHouse(): Promise<unknown> {
  const columns = connectClickHouse({
    url,
    user: serverUser,
    password: serverPassword,
    database: 'default',
    requestTimeoutMs: 10_000,
    maxConnections: 2,
  });
  try {
    await columns.ping();
    return await columns.query('SELECT 1 AS one');
  } finally {
    await columns.close();
  }
}

const told = await (store === 'redis' ? askRedis() : askClickHouse()).then(
  (answer) => ({ answer }),
  (error: unknown) => ({
    code: error instanceof AppError ? error.code : 'none',
    message: String(error instanceof Error ? error.message : error),
  }),
);
process.stdout.write(JSON.stringify(told));
