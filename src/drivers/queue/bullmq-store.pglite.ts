import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { createPostgresBackend, runMigrations } from 'bullmq';
import { invariant } from '../../kernel/invariant.ts';
import { PglitePool } from '../sql-database/pglite-pool.ts';
import { makePgliteTemplate, openPglite, type PgliteTemplate } from '../sql-database/pglite-template.ts';
import { bullMqSchema, postgresBulkFrom } from './bullmq-schema.ts';
import type { BullMqBackend, BullMqStore, ConsumerConnection } from './bullmq-store.ts';

/**
 * BullMQ on a PGlite of its own, which begins empty: a wake-up call need not outlive the process, since the sweeper
 * makes it anew from the ledger at the next start.
 */
export class PgliteStore implements BullMqStore {
  readonly kind = 'pglite';
  readonly bulkFrom = postgresBulkFrom;
  readonly backend: BullMqBackend;
  readonly #pool: PglitePool;

  private constructor(pool: PglitePool) {
    this.#pool = pool;
    this.backend = (name, options, extra) =>
      createPostgresBackend(name, { ...options, connection: pool }, extra);
    // Every queue and worker on it listens for errors.
    pool.setMaxListeners(0);
  }

  /** Opens it in `scratchDirectory`, whose former content is removed, or in memory. */
  static async open(scratchDirectory?: string): Promise<PgliteStore> {
    if (scratchDirectory !== undefined) {
      rmSync(scratchDirectory, { recursive: true, force: true });
      mkdirSync(dirname(scratchDirectory), { recursive: true });
    }
    const pool = new PglitePool(await openPglite(scratchDirectory, queueTemplate()));
    await pool.query(`SET search_path TO "${bullMqSchema}"`);
    return new PgliteStore(pool);
  }

  queueName(name: string): string {
    return name;
  }

  connectConsumer(): ConsumerConnection {
    return { backend: this.backend, isUp: () => true, close: () => Promise.resolve() };
  }

  async ping(): Promise<void> {
    await this.#pool.query('select 1');
  }

  warnings(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

/** Makes the template of an embedded queue's database, if it is not there yet, and answers its path. Part of the build. */
export function makeQueueTemplate(): Promise<string> {
  return makePgliteTemplate(queueTemplate());
}

// BullMQ's migrations take a second and some hundred megabytes, so they belong to the template.
function queueTemplate(): PgliteTemplate {
  return { name: `bullmq-${bullMqVersion()}`, prepare: migrateQueue };
}

async function migrateQueue(pglite: PGlite): Promise<void> {
  const client = await new PglitePool(pglite).connect();
  await runMigrations(client, bullMqSchema);
  client.release();
}

function bullMqVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve('bullmq/package.json'), 'utf8'),
  );
  invariant(
    typeof manifest === 'object' && manifest !== null && 'version' in manifest,
    'the installed BullMQ has a version',
  );
  return String(manifest.version);
}
