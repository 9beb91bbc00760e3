import type { Redis } from 'ioredis';
import { AppError } from '../../kernel/app-error.ts';
import { connectRedis, endRedis, failingAtOnce } from '../redis-connection.ts';
import type { AppendOptions, EventLogDriver, LogEntry, LogPage, LogWatcher } from './event-log-driver.ts';
import { LogWatchers } from './log-watchers.ts';

/*
 * Logs as Redis Streams. One script appends, bounds and publishes, so that the entries of a log are never seen out of order. What is
 * published carries the entries to the processes that watch; publishing is lost with a connection, so whoever watches is told to
 * read again whenever a connection was made anew.
 */

export interface RedisEventLogOptions {
  readonly url: string;
  /** Distinguishes installations that share a Redis. */
  readonly prefix: string;
}

/** Larger batches are published without their data: whoever watches reads them. */
const maxPublishedBytes = 65_536;
const subscribedAtOnce = 1000;

/**
 * KEYS: the entries, the state. ARGV: channel, most entries, most bytes, how long kept, how long kept at its end, whether this is
 * the end, above which id, what is published, data of each entry. Answers the newest id.
 */
const appendScript = `
local state = redis.call('HMGET', KEYS[2], 'last', 'bytes', 'count', 'ended')
if state[4] then return state[1] end
local last = tonumber(state[1])
if not last then
  local time = redis.call('TIME')
  last = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(ARGV[7]))
end
local bytes = tonumber(state[2] or 0)
local count = tonumber(state[3] or 0)
local first = last + 1
for i = 9, #ARGV do
  last = last + 1
  redis.call('XADD', KEYS[1], string.format('%.0f-0', last), 'd', ARGV[i])
  bytes = bytes + #ARGV[i]
  count = count + 1
end
local maxCount = tonumber(ARGV[2])
local maxBytes = tonumber(ARGV[3])
while count > 1 and (count > maxCount or bytes > maxBytes) do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not oldest then break end
  redis.call('XDEL', KEYS[1], oldest[1])
  bytes = bytes - #oldest[2][2]
  count = count - 1
end
local newest = string.format('%.0f', last)
redis.call('HSET', KEYS[2], 'last', newest, 'bytes', bytes, 'count', count)
local keptMs = ARGV[4]
if ARGV[6] == '1' then
  redis.call('HSET', KEYS[2], 'ended', 1)
  keptMs = ARGV[5]
end
redis.call('PEXPIRE', KEYS[1], keptMs)
redis.call('PEXPIRE', KEYS[2], keptMs)
redis.call('PUBLISH', ARGV[1], string.format('%.0f', first) .. ARGV[8])
return newest
`;

export class RedisEventLogDriver implements EventLogDriver {
  readonly kind = 'redis';
  readonly #url: string;
  readonly #prefix: string;
  readonly #redis: Redis;
  readonly #watchers = new LogWatchers();
  #subscriber: Redis | undefined;
  #closing: Promise<void> | undefined;

  private constructor(redis: Redis, { url, prefix }: RedisEventLogOptions) {
    this.#redis = redis;
    this.#url = url;
    this.#prefix = `${prefix}:event-log:`;
  }

  /** Begins to connect. It may be away: what is asked of it fails until it is back. */
  static open(options: RedisEventLogOptions): RedisEventLogDriver {
    return new RedisEventLogDriver(connectRedis(options.url, failingAtOnce), options);
  }

  async append(
    key: string,
    data: readonly string[],
    { limits, isEnd, above = 0 }: AppendOptions,
  ): Promise<number> {
    const published = `\n${JSON.stringify(data)}`;
    const newest = await this.#ask('append', (redis) =>
      redis.eval(
        appendScript,
        2,
        ...this.#keysOf(key),
        this.#channelOf(key),
        limits.maxEntries,
        limits.maxBytes,
        limits.keptMs,
        limits.keptEndedMs,
        isEnd === true ? '1' : '0',
        above,
        published.length > maxPublishedBytes ? '' : published,
        ...data,
      ),
    );
    return Number(newest);
  }

  async list(key: string, after: number, limit: number): Promise<LogPage> {
    const found = await this.#ask('list', (redis) =>
      redis.xrange(this.#keysOf(key)[0], `(${after}-0`, '+', 'COUNT', limit + 1),
    );
    const entries = found
      .slice(0, limit)
      .map(([id, fields]): LogEntry => ({ id: Number.parseInt(id, 10), data: fields[1] ?? '' }));
    return { entries, hasMore: found.length > limit };
  }

  watch(key: string, watcher: LogWatcher): () => void {
    const isFirst = this.#watchers.add(key, watcher);
    const subscriber = this.#subscribing();
    if (isFirst) this.#subscribe(subscriber, [key]);
    // Whoever comes second may have missed what came before it; the subscription stands, or tells all when it does.
    else watcher(undefined);
    return () => {
      if (!this.#watchers.delete(key, watcher) || this.#closing !== undefined) return;
      // A connection that is made anew takes up only what is watched.
      subscriber.unsubscribe(this.#channelOf(key)).catch(() => undefined);
    };
  }

  async remove(key: string): Promise<void> {
    await this.#ask('remove', (redis) => redis.unlink(this.#keysOf(key)));
  }

  close(): Promise<void> {
    this.#watchers.clear();
    this.#closing ??= Promise.all(
      [this.#redis, ...(this.#subscriber === undefined ? [] : [this.#subscriber])].map((one) =>
        endRedis(one),
      ),
    ).then(() => undefined);
    return this.#closing;
  }

  /** The connection that others publish to; it is made when something is watched. */
  #subscribing(): Redis {
    if (this.#subscriber !== undefined) return this.#subscriber;
    const subscriber = connectRedis(this.#url, { maxRetriesPerRequest: null, autoResubscribe: false });
    this.#subscriber = subscriber;
    subscriber.on('message', (channel: string, text: string) => this.#receive(channel, text));
    let isFirst = true;
    subscriber.on('ready', () => {
      // What is watched when it is made first waits in its queue of commands.
      if (!isFirst) this.#subscribe(subscriber, this.#watchers.keys);
      isFirst = false;
    });
    return subscriber;
  }

  #subscribe(subscriber: Redis, keys: readonly string[]): void {
    for (let from = 0; from < keys.length; from += subscribedAtOnce) {
      const some = keys.slice(from, from + subscribedAtOnce);
      subscriber.subscribe(...some.map((key) => this.#channelOf(key))).then(
        () => {
          for (const key of some) this.#watchers.tell(key, undefined);
        },
        // The connection is gone: the next one takes up what is watched then.
        () => undefined,
      );
    }
  }

  #receive(channel: string, text: string): void {
    const key = channel.slice(this.#prefix.length);
    if (this.#watchers.has(key)) this.#watchers.tell(key, entriesOf(text));
  }

  #channelOf(key: string): string {
    return `${this.#prefix}${key}`;
  }

  #keysOf(key: string): [entries: string, state: string] {
    return [`${this.#prefix}{${key}}:entries`, `${this.#prefix}{${key}}:state`];
  }

  async #ask<Answer>(what: string, ask: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    try {
      return await ask(this.#redis);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new AppError('MILLRACE_EVENT_LOG_UNAVAILABLE', `The event log failed (${what}): ${text}`, {
        cause: error,
      });
    }
  }
}

/** What was published: the id of the first entry, and where they are small the data of all. */
function entriesOf(text: string): readonly LogEntry[] | undefined {
  const end = text.indexOf('\n');
  if (end < 0) return undefined;
  const first = Number(text.slice(0, end));
  const data = JSON.parse(text.slice(end + 1)) as readonly string[];
  return data.map((one, index) => ({ id: first + index, data: one }));
}
