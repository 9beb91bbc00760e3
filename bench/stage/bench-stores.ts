import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { PostgresServer } from '../../test/support/postgres-server.ts';
import { RedisServer } from '../../test/support/redis-server.ts';
import { processCpuMs } from '../process-cpu.ts';

/** What the servers have used so far: processor time in milliseconds, and bytes of WAL. */
export interface ServerUse {
  readonly postgresMs: number;
  readonly redisMs: number;
  readonly walBytes: number;
}

/** The servers of a run, which all subjects use one after another, each with a database and names of its own. */
export class BenchStores {
  readonly redis: RedisServer;
  readonly #postgres: PostgresServer | undefined;
  readonly #administration: pg.Client | undefined;
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  readonly #databases = new Map<string, string>();

  private constructor(redis: RedisServer, postgres?: PostgresServer, administration?: pg.Client) {
    this.redis = redis;
    this.#postgres = postgres;
    this.#administration = administration;
  }

  /** Without PostgreSQL (embedded) Redis is there for the baseline only. */
  static async start({
    isEmbedded,
    checkpoints = 'none',
  }: {
    readonly isEmbedded: boolean;
    /** `ordinary`: as PostgreSQL makes them by itself, so that its log stays small in a long run. */
    readonly checkpoints?: 'none' | 'ordinary';
  }): Promise<BenchStores> {
    const redis = await RedisServer.start({ appendOnly: 'everysec' });
    if (isEmbedded) return new BenchStores(redis);
    const postgres = await PostgresServer.start({
      settings: {
        shared_buffers: '512MB',
        // No checkpoint falls into a measurement: the full pages after one would count for whoever comes next.
        ...(checkpoints === 'none' ? { max_wal_size: '16GB', checkpoint_timeout: '1h' } : {}),
      },
    });
    const administration = new pg.Client({ connectionString: postgres.connectionString });
    await administration.connect();
    return new BenchStores(redis, postgres, administration);
  }

  get hasPostgres(): boolean {
    return this.#postgres !== undefined;
  }

  /** A database by name, made at the first call; undefined when the run is embedded. */
  async database(name: string): Promise<string | undefined> {
    const known = this.#databases.get(name);
    if (known !== undefined || this.#postgres === undefined) return known;
    const url = await this.#postgres.createDatabase(name);
    this.#databases.set(name, url);
    return url;
  }

  /** A directory by name. */
  directory(name: string): string {
    const path = join(this.#directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  async use(): Promise<ServerUse> {
    const result = await this.#administration?.query<{ readonly bytes: string }>(
      "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as bytes",
    );
    return {
      postgresMs: this.#postgres === undefined ? 0 : processCpuMs(this.#postgres.pid),
      redisMs: processCpuMs(this.redis.pid),
      walBytes: Number(result?.rows[0]?.bytes ?? 0),
    };
  }

  /** The versions of the servers, to be printed. */
  async versions(): Promise<string> {
    const result = await this.#administration?.query<{ readonly server_version: string }>(
      'show server_version',
    );
    const version = result?.rows[0]?.server_version;
    return version === undefined ? 'embedded (PGlite, chDB)' : `PostgreSQL ${version}, Redis (AOF), chDB`;
  }

  async stop(): Promise<void> {
    await this.#administration?.end();
    await this.redis.stop();
    await this.#postgres?.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
