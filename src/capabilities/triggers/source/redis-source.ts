import type { Redis } from 'ioredis';
import { connectRedis, endRedis } from '../../../drivers/redis-connection.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { triggerErrors } from '../trigger-errors.ts';
import type { RedisSourceSettings } from '../trigger-settings.ts';
import type { EventRecord, EventSource, SourceLag } from './event-source.ts';

/*
 * A stream of Redis with a consumer group that is this trigger's alone. Whoever begins claims all that the group was given and nobody has
 * acknowledged, however lately: only one process consumes at a time, and what waits there comes before anything new.
 */

const consumer = 'millrace';
const firstCursor = '0-0';
const commandTimeoutMs = 10_000;

/** An entry; without fields when it was deleted meanwhile. */
interface Entry {
  readonly id: string;
  readonly fields: readonly Buffer[] | undefined;
}

/** Consumes a stream. */
export class RedisSource implements EventSource {
  readonly #settings: RedisSourceSettings;
  #redis: Redis | undefined;
  /** Where the claiming of what was not acknowledged goes on; undefined when all of it was received. */
  #cursor: string | undefined = firstCursor;

  constructor(settings: RedisSourceSettings) {
    this.#settings = settings;
  }

  async begin(): Promise<void> {
    const { stream, group, from } = this.#settings;
    this.#cursor = firstCursor;
    try {
      await this.#client().xgroup('CREATE', stream, group, from === 'new' ? '$' : '0', 'MKSTREAM');
    } catch (error) {
      if (!isThereAlready(error)) throw this.#unavailable(error);
    }
  }

  async receive(limit: number, waitMs: number): Promise<readonly EventRecord[]> {
    while (this.#cursor !== undefined) {
      const records = await this.#take(await this.#claim(this.#cursor, limit));
      if (records.length > 0) return records;
    }
    const { stream, group } = this.#settings;
    // A wait of 0 would be one without an end.
    const blockMs = Math.max(1, Math.floor(waitMs));
    const read = ['GROUP', group, consumer, 'COUNT', limit, 'BLOCK', blockMs, 'STREAMS', stream, '>'];
    const answer = listOf(await this.#call('XREADGROUP', read));
    // A map of streams, as RESP3 writes it, or a list of pairs, as RESP2 does.
    const [first] = answer;
    return await this.#take(entriesOf((Array.isArray(first) ? listOf(first) : answer)[1]));
  }

  async acknowledge(records: readonly EventRecord[]): Promise<void> {
    await this.#acknowledge(records.map(({ position }) => position));
  }

  /** What was not acknowledged stays with the group, which `begin` asks first. */
  release(): Promise<void> {
    return Promise.resolve();
  }

  async lag(): Promise<readonly SourceLag[]> {
    const { stream, group } = this.#settings;
    const groups = listOf(await this.#call('XINFO', ['GROUPS', stream]));
    const own = groups.map((one) => fieldsOf(listOf(one))).find((one) => textOf(one.get('name')) === group);
    const count = (name: string): number => Number(own?.get(name) ?? 0);
    return [{ partition: stream, records: count('pending') + count('lag') }];
  }

  async close(): Promise<void> {
    const redis = this.#redis;
    this.#redis = undefined;
    if (redis !== undefined) await endRedis(redis);
  }

  async #claim(cursor: string, limit: number): Promise<readonly Entry[]> {
    const { stream, group } = this.#settings;
    const claimed = await this.#call('XAUTOCLAIM', [stream, group, consumer, 0, cursor, 'COUNT', limit]);
    const [next, entries] = listOf(claimed);
    const following = textOf(next);
    this.#cursor = following === firstCursor ? undefined : following;
    return entriesOf(entries);
  }

  /** The entries as records. Those that were deleted hold nothing any more, and are done with. */
  async #take(entries: readonly Entry[]): Promise<readonly EventRecord[]> {
    const deleted = entries.filter(({ fields }) => fields === undefined).map(({ id }) => id);
    if (deleted.length > 0) await this.#acknowledge(deleted);
    return entries.flatMap(({ id, fields }) =>
      fields === undefined ? [] : [recordOf(this.#settings, id, fields)],
    );
  }

  async #acknowledge(ids: readonly string[]): Promise<void> {
    await this.#call('XACK', [this.#settings.stream, this.#settings.group, ...ids]);
  }

  async #call(command: string, parameters: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.#client().callBuffer(command, ...parameters);
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  #client(): Redis {
    this.#redis ??= connectRedis(this.#settings.url, {
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
    });
    return this.#redis;
  }

  #unavailable(cause: unknown): AppError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const { stream } = this.#settings;
    return new AppError(
      triggerErrors.MILLRACE_SOURCE_UNAVAILABLE,
      `The stream "${stream}" of Redis: ${why}`,
      {
        cause,
      },
    );
  }
}

function recordOf(
  { stream, payloadField, keyField }: RedisSourceSettings,
  id: string,
  fields: readonly Buffer[],
): EventRecord {
  const values = fieldsOf(fields);
  const texts = [...values].map(([name, value]) => [name, textOf(value)] as const);
  const payload =
    payloadField === undefined ? JSON.stringify(Object.fromEntries(texts)) : values.get(payloadField);
  const isHeader = ([name]: readonly [string, string]): boolean =>
    payloadField !== undefined && name !== payloadField && name !== keyField;
  return {
    partition: stream,
    position: id,
    key: keyField === undefined || !values.has(keyField) ? undefined : textOf(values.get(keyField)),
    headers: Object.fromEntries(texts.filter(isHeader).map(([name, value]) => [name.toLowerCase(), value])),
    payload: Buffer.isBuffer(payload) ? payload : Buffer.from(typeof payload === 'string' ? payload : ''),
    sentAt: new Date(Number.parseInt(id, 10)),
  };
}

function isThereAlready(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('BUSYGROUP');
}

function entriesOf(answer: unknown): readonly Entry[] {
  return listOf(answer).flatMap((entry) => {
    const [id, fields] = listOf(entry);
    if (!Buffer.isBuffer(id)) return [];
    const held = Array.isArray(fields) ? fields.filter((one) => Buffer.isBuffer(one)) : undefined;
    return [{ id: id.toString(), fields: held }];
  });
}

/** Names and values in turn, as Redis writes them. */
function fieldsOf(list: readonly unknown[]): ReadonlyMap<string, unknown> {
  const fields = new Map<string, unknown>();
  for (let index = 0; index + 1 < list.length; index += 2) fields.set(textOf(list[index]), list[index + 1]);
  return fields;
}

function listOf(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}

function textOf(answer: unknown): string {
  if (Buffer.isBuffer(answer)) return answer.toString();
  return typeof answer === 'string' ? answer : '';
}
