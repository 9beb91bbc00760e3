import { Redis } from 'ioredis';
import pg from 'pg';
import type { EventSource } from '../../src/capabilities/triggers/source/event-source.ts';
import { PostgresSource } from '../../src/capabilities/triggers/source/postgres-source.ts';
import { RedisSource } from '../../src/capabilities/triggers/source/redis-source.ts';
import { postgresSourceSchema, redisSourceSchema } from '../../src/capabilities/triggers/trigger-settings.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { RedisServer } from './redis-server.ts';
import { newLedger } from './shared-postgres.ts';

/** A broker of this machine, as its users use it. */
export interface EventBroker {
  /** Nothing is there. */
  empty(): Promise<void>;
  send(key: string, payload: string): Promise<void>;
  /** A consumer in a process of its own. */
  source(): EventSource;
  stop(): Promise<void>;
}

export async function redisBroker(): Promise<EventBroker> {
  const server = await RedisServer.start();
  const redis = new Redis(server.url);
  const settings = redisSourceSchema.parse({
    kind: 'redis',
    url: server.url,
    stream: 'tickets',
    payloadField: 'payload',
    keyField: 'key',
  });
  return {
    empty: async () => void (await redis.del('tickets')),
    send: async (key, payload) => void (await redis.xadd('tickets', '*', 'key', key, 'payload', payload)),
    source: () => new RedisSource(settings),
    stop: async () => {
      redis.disconnect();
      await server.stop();
    },
  };
}

export async function postgresBroker(): Promise<EventBroker> {
  const url = await newLedger();
  const client = new pg.Client(url);
  await client.connect();
  await client.query('create table outbox (id bigserial primary key, key text, payload text not null)');
  const settings = postgresSourceSchema.parse({
    kind: 'postgres',
    url,
    table: 'outbox',
    key: 'key',
    channel: 'outbox',
    pollMs: 50,
  });
  return {
    empty: async () => void (await client.query('truncate outbox')),
    send: async (key, payload) => {
      await client.query('insert into outbox (key, payload) values ($1, $2)', [key, payload]);
      await client.query('notify outbox');
    },
    source: () => new PostgresSource(settings, systemClock),
    stop: () => client.end(),
  };
}
