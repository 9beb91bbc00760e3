import { createRedisBackend } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import type { BullMqBackend, BullMqStore, ConsumerConnection } from './bullmq-store.ts';

export interface RedisStoreOptions {
  readonly url: string;
  /** Distinguishes installations that share a Redis. */
  readonly prefix: string;
}

const commandTimeoutMs = 10_000;
const connectTimeoutMs = 10_000;
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
    const redis = connect(options.url, {
      lazyConnect: true,
      // A call fails at once when Redis is away; what it wanted to add is safe in the ledger.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
    });
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
    const redis = connect(this.#url, { maxRetriesPerRequest: null });
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
        await Promise.all([redis, ...duplicates].map(end));
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
    return end(this.#redis);
  }
}

function connect(url: string, options: Omit<RedisOptions, 'replyMapping'>): Redis {
  const redis = new Redis(url, {
    connectTimeout: connectTimeoutMs,
    keepAlive: 10_000,
    retryStrategy: (attempt) => Math.min(attempt * 50, 1000),
    ...options,
  });
  // A command that is waited for fails; between commands the client reconnects by itself.
  redis.on('error', () => undefined);
  // Every queue and worker on it listens.
  redis.setMaxListeners(0);
  return redis;
}

/**
 * Ends a client for good, so that every command that still waits on it fails. A client that is asked to disconnect
 * while it waits to connect again would do neither, so it makes one last attempt.
 */
async function end(redis: Redis): Promise<void> {
  redis.options.retryStrategy = () => null;
  if (redis.status === 'end') return;
  const ended = new Promise((resolve) => redis.once('end', resolve));
  if (redis.status === 'reconnecting') {
    await redis.connect().then(
      () => redis.disconnect(),
      () => undefined,
    );
  } else {
    redis.disconnect();
  }
  await ended;
}

function backendOn(redis: Redis): BullMqBackend {
  return (name, options, extra) => createRedisBackend(name, { ...options, connection: redis }, extra);
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [goodMajor = 0, goodMinor = 0] = oldestGoodVersion;
  return major < goodMajor || (major === goodMajor && minor < goodMinor);
}
