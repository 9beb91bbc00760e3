import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';

/** What BullMQ lies on in a run over servers. */
export const queueKinds = ['redis', 'postgres'] as const;
export type QueueKind = (typeof queueKinds)[number];

/** The queue's own server, which can be taken away, come back, and lose all that it holds. */
export interface QueueServer {
  readonly url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  empty(): Promise<void>;
  setReadOnly(isReadOnly: boolean): Promise<void>;
  /** Whether it has no memory left for writes. A PostgreSQL that has no room is one that cannot be written to. */
  setFull(isFull: boolean): Promise<void>;
  stop(): Promise<void>;
}

export async function startQueueServer(kind: QueueKind): Promise<QueueServer> {
  if (kind === 'postgres') return await startPostgres();
  const redis = await RedisServer.start();
  return {
    url: redis.url,
    kill: () => redis.kill(),
    restart: () => redis.restart(),
    empty: () => redis.flushAll(),
    setReadOnly: (isReadOnly) => redis.setReadOnly(isReadOnly),
    setFull: (isFull) => redis.setFull(isFull),
    stop: () => redis.stop(),
  };
}

/** Tables are locked one after the other, while BullMQ's functions use them in an order of their own. */
async function emptied(server: PostgresServer): Promise<void> {
  for (;;) {
    try {
      await server.emptySchema('bullmq', ['migration']);
      return;
    } catch (error) {
      const isDeadlock = error instanceof Error && 'code' in error && error.code === '40P01';
      if (!isDeadlock) throw error;
    }
  }
}

/** A PostgreSQL beside that of the ledger, so that each has faults of its own. */
async function startPostgres(): Promise<QueueServer> {
  const server = await PostgresServer.start({ settings: { max_connections: '200' } });
  return {
    url: server.connectionString,
    kill: () => server.kill(),
    restart: () => server.restart(),
    empty: () => emptied(server),
    setReadOnly: (isReadOnly) => server.setReadOnly(isReadOnly),
    setFull: (isFull) => server.setReadOnly(isFull),
    stop: () => server.stop(),
  };
}
