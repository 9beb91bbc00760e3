import { createRedisBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import { connectRedis, endRedis, failingAtOnce } from '../redis-connection.ts';
import type { BullMqBackend, BullMqStore, ConsumerConnection } from './bullmq-store.ts';

export interface RedisStoreOptions {
  readonly url: string;
  /** Distinguishes installations that share a Redis. */
  readonly prefix: string;
}

const oldestGoodVersion = [6, 2];

/** BullMQ on Redis. */
export class RedisStore implements BullMqStore {
  readonly kind = 'redis';
  readonly bulkFrom = 1;
  readonly keyPrefix: string;
  readonly backend: BullMqBackend;
  readonly #url: string;
  readonly #redis: Redis;

  private constructor(redis: Redis, { url, prefix }: RedisStoreOptions) {
    this.#redis = redis;
    this.#url = url;
    this.keyPrefix = prefix;
    this.backend = backendOn(redis);
  }

  /** Connects. Throws what the client throws when Redis cannot be reached. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    // A call fails at once when Redis is away; what it wanted to add is safe in the ledger.
    const redis = connectRedis(options.url, { lazyConnect: true, ...failingAtOnce });
    // What ended the connection, such as a certificate, is passed to this listener only; the call fails because the connection ended.
    let reason: Error | undefined;
    redis.on('error', (error: Error) => (reason = error));
    try {
      await redis.connect();
    } catch (error) {
      redis.disconnect();
      throw reason ?? error;
    }
    return new RedisStore(redis, options);
  }

  queueName(name: string): string {
    return name;
  }

  connectConsumer(): ConsumerConnection {
    const redis = connectRedis(this.#url, { maxRetriesPerRequest: null });
    // BullMQ makes a second one from it to block on, and cannot end that one while Redis is away.
    const duplicates: Redis[] = [];
    const duplicate = redis.duplicate.bind(redis);
    redis.duplicate = (override) => {
      const copy = duplicate(override);
      duplicates.push(copy);
      return copy;
    };
    return {
      backend: backendOn(redis),
      isUp: () => redis.status === 'ready',
      close: async () => {
        await Promise.all([redis, ...duplicates].map(endRedis));
      },
    };
  }

  async ping(): Promise<void> {
    await this.#redis.ping();
  }

  async warnings(): Promise<readonly string[]> {
    const info = await this.#redis.info();
    const valueOf = (name: string): string | undefined =>
      new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim();
    const warnings: string[] = [];
    if (valueOf('aof_enabled') === '0') {
      warnings.push(
        'Redis runs without an append-only file (appendonly no): after a crash its jobs are gone, and every pending message waits for the sweeper.',
      );
    }
    const policy = valueOf('maxmemory_policy');
    if (policy !== undefined && policy !== 'noeviction') {
      warnings.push(
        `Redis may drop jobs when its memory is full (maxmemory-policy ${policy}): set it to noeviction.`,
      );
    }
    const version = valueOf('redis_version');
    if (version !== undefined && isOlder(version)) {
      warnings.push(
        `Redis ${version} is older than ${oldestGoodVersion.join('.')}, which BullMQ recommends.`,
      );
    }
    return warnings;
  }

  async serverTime(): Promise<Date> {
    const [seconds = 0, microseconds = 0] = await this.#redis.time();
    return new Date(seconds * 1000 + Math.floor(microseconds / 1000));
  }

  close(): Promise<void> {
    return endRedis(this.#redis);
  }
}

function backendOn(redis: Redis): BullMqBackend {
  return (name, options, extra) => createRedisBackend(name, { ...options, connection: redis }, extra);
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [goodMajor = 0, goodMinor = 0] = oldestGoodVersion;
  return major < goodMajor || (major === goodMajor && minor < goodMinor);
}
