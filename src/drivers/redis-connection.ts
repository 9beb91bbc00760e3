import { Redis, type RedisOptions } from 'ioredis';

const connectTimeoutMs = 10_000;

/** Options of a connection whose commands fail at once while Redis is away. */
export const failingAtOnce = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 10_000,
} as const;

/** A client of the Redis at the URL, which connects again by itself. */
export function connectRedis(url: string, options: Omit<RedisOptions, 'replyMapping'>): Redis {
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
export async function endRedis(redis: Redis): Promise<void> {
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
