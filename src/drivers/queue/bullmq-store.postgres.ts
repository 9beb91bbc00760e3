import { createPostgresBackend, type PgPool, runMigrations } from 'bullmq';
import pg from 'pg';
import { refuseTransactionPooler } from '../sql-database/pooler.ts';
import { isPoolersDoing, pooled } from '../sql-database/sql-error.ts';
import { hearLosses } from '../sql-database/hear-losses.ts';
import { bullMqSchema, postgresBulkFrom } from './bullmq-schema.ts';
import type { BullMqBackend, BullMqStore, ConsumerConnection } from './bullmq-store.ts';

/*
 * BullMQ's PostgreSQL backend lives in the schema "bullmq" of its database, whichever pool it is given; so queues of
 * several installations differ by their names. Its migrations are run here, once a start.
 */

const producerPoolSize = 6;
// One of them listens for as long as the consumer lives.
const consumerPoolSize = 6;
const timeouts = { connectionTimeoutMillis: 10_000, query_timeout: 15_000, statement_timeout: 10_000 };

/** BullMQ on a PostgreSQL server. */
export class PostgresStore implements BullMqStore {
  readonly kind = 'postgres';
  readonly bulkFrom = postgresBulkFrom;
  readonly backend: BullMqBackend;
  readonly #url: string;
  readonly #prefix: string;
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool, url: string, prefix: string) {
    this.#pool = pool;
    this.#url = url;
    this.#prefix = prefix;
    this.backend = backendOn(pool);
  }

  static async open({
    url,
    prefix,
  }: {
    readonly url: string;
    readonly prefix: string;
  }): Promise<PostgresStore> {
    const pool = poolOf(url, producerPoolSize);
    try {
      await refuseTransactionPooler(connectionOf(url), poolerAdvice);
      const client = await pool.connect();
      try {
        await runMigrations(client, bullMqSchema);
      } finally {
        client.release();
      }
    } catch (error) {
      await pool.end();
      throw isPoolersDoing(error)
        ? pooled('A pooler before the queue is in the way', poolerAdvice, error)
        : error;
    }
    return new PostgresStore(pool, url, prefix);
  }

  queueName(name: string): string {
    return `${this.#prefix}.${name}`;
  }

  connectConsumer(): ConsumerConnection {
    const pool = poolOf(this.#url, consumerPoolSize);
    // A statement on a server that is away fails soon, so that nothing waits for it.
    return { backend: backendOn(pool), isUp: () => true, close: () => pool.end() };
  }

  async ping(): Promise<void> {
    await this.#pool.query('select 1');
  }

  async warnings(): Promise<readonly string[]> {
    const { rows } = await this.#pool.query<{ fsync: string }>(`select current_setting('fsync') as fsync`);
    if (rows[0]?.fsync !== 'off') return [];
    return [
      'PostgreSQL runs with fsync off: a crash of its machine can destroy the jobs, and all else in it.',
    ];
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

const poolerAdvice =
  'BullMQ listens for notifications and needs sessions of its own: give queue.url the address of PostgreSQL itself.';

function connectionOf(connectionString: string): pg.ClientConfig {
  return {
    connectionString,
    ...timeouts,
    application_name: 'millrace queue',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    options: `-c search_path=${bullMqSchema}`,
  };
}

function poolOf(connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({ ...connectionOf(connectionString), max });
  hearLosses(pool);
  pool.setMaxListeners(0);
  return pool;
}

function backendOn(pool: pg.Pool): BullMqBackend {
  // BullMQ promises to take a real pool; the declared overloads of its query() hide that from the compiler.
  const connection = pool as unknown as PgPool;
  return (name, options, extra) => createPostgresBackend(name, { ...options, connection }, extra);
}
