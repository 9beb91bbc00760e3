import pg from 'pg';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { triggerErrors } from '../trigger-errors.ts';
import type { PostgresSourceSettings } from '../trigger-settings.ts';
import type { EventRecord, EventSource, SourceLag } from './event-source.ts';

/*
 * A table of the user's own database (an outbox). The rows of a group stay locked, in a transaction that ends with their deletion (or their
 * mark) when they are in the ledger. An advisory lock in the same transaction lets one consumer in at a time, so that none overtakes
 * another; both go with the connection of a process that dies. NOTIFY saves waiting, and is relied on for nothing.
 */

const timeoutMs = 15_000;
/** More than that are not counted. */
const maxCounted = 10_000;
const byteaType = 17;

interface Row {
  readonly place: string;
  readonly id: string;
  readonly payload: string | null;
  readonly key: string | null;
  readonly headers: string | null;
}

/** Consumes a table. */
export class PostgresSource implements EventSource {
  readonly #settings: PostgresSourceSettings;
  readonly #clock: Clock;
  #client: pg.Client | undefined;
  /** The locked rows, by the ids of their events. */
  #places = new Map<string, string>();
  #isNotified = false;
  #wake: (() => void) | undefined;

  constructor(settings: PostgresSourceSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  async begin(): Promise<void> {
    await this.release();
    await this.#connected();
  }

  async receive(limit: number, waitMs: number, signal: AbortSignal): Promise<readonly EventRecord[]> {
    const untilMs = this.#clock.monotonicMs() + waitMs;
    for (;;) {
      this.#isNotified = false;
      const records = await this.#lock(limit);
      if (records.length > 0) return records;
      const leftMs = untilMs - this.#clock.monotonicMs();
      if (leftMs <= 0 || signal.aborted) return [];
      await this.#pause(Math.min(leftMs, this.#settings.pollMs), signal);
    }
  }

  async acknowledge(records: readonly EventRecord[]): Promise<void> {
    const { table, doneAt } = this.#settings;
    const places = records.flatMap(({ position }) => this.#places.get(position) ?? []);
    await this.#query(
      doneAt === undefined
        ? `delete from ${table} where ctid = any($1::tid[])`
        : `update ${table} set ${doneAt} = clock_timestamp() where ctid = any($1::tid[])`,
      [places],
    );
    await this.#query('commit');
    this.#places = new Map();
  }

  async release(): Promise<void> {
    if (this.#places.size === 0) return;
    this.#places = new Map();
    if (this.#client !== undefined) await this.#query('rollback');
  }

  async lag(): Promise<readonly SourceLag[]> {
    const { table } = this.#settings;
    const { rows } = await this.#query<{ count: string }>(
      `select count(*) as count from (select from ${table} where ${this.#isOpen()} limit ${maxCounted}) counted`,
    );
    return [{ partition: table, records: Number(rows[0]?.count ?? 0) }];
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#places = new Map();
    this.#wake?.();
    if (client !== undefined) await client.end();
  }

  /** Locks the next rows; without any, and where another consumer is at work, nothing stays open. */
  async #lock(limit: number): Promise<readonly EventRecord[]> {
    const { table, id, payload, key, headers } = this.#settings;
    await this.#query('begin');
    const { rows: locks } = await this.#query<{ taken: string }>(
      `select pg_try_advisory_xact_lock(hashtext('millrace triggers'), hashtext($1)) as taken`,
      [table],
    );
    const isMine = locks[0]?.taken === 't';
    const { rows, fields } = isMine
      ? await this.#query<Row>(
          `select ctid as place, ${id} as id, ${payload} as payload, ${key ?? 'null'} as key, ${headers ?? 'null'} as headers
           from ${table} where ${this.#isOpen()} order by ${id} limit $1 for update skip locked`,
          [limit],
        )
      : { rows: [], fields: [] };
    if (rows.length === 0) {
      await this.#query('rollback');
      return [];
    }
    this.#places = new Map(rows.map((row) => [row.id, row.place]));
    const isBinary = fields.some((field) => field.name === 'payload' && field.dataTypeID === byteaType);
    return rows.map((row) => recordOf(table, row, isBinary));
  }

  #isOpen(): string {
    const { doneAt } = this.#settings;
    return doneAt === undefined ? 'true' : `${doneAt} is null`;
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isNotified) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.startTimer(delayMs, resolve);
      this.#wake = () => {
        timer.close();
        resolve();
      };
      signal.addEventListener('abort', this.#wake, { once: true });
    });
    if (this.#wake !== undefined) signal.removeEventListener('abort', this.#wake);
    this.#wake = undefined;
  }

  async #query<Result extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<pg.QueryResult<Result>> {
    const client = await this.#connected();
    try {
      return await client.query<Result>(text, [...values]);
    } catch (error) {
      await this.#drop(client);
      throw this.#unavailable(error);
    }
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const { url, channel } = this.#settings;
    const client = new pg.Client({
      connectionString: url,
      application_name: 'millrace triggers',
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      statement_timeout: timeoutMs,
      keepAlive: true,
      // Everything as PostgreSQL writes it: what it means is for the trigger to say.
      types: { getTypeParser: () => (text: string | Buffer) => String(text) },
    });
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    client.on('notification', () => {
      this.#isNotified = true;
      this.#wake?.();
    });
    try {
      await client.connect();
      if (channel !== undefined) await client.query(`listen ${channel}`);
    } catch (error) {
      await this.#drop(client);
      throw this.#unavailable(error);
    }
    this.#client = client;
    return client;
  }

  /** A connection that has failed is not used again: whatever its transaction held is free. */
  async #drop(client: pg.Client): Promise<void> {
    if (this.#client === client) this.#client = undefined;
    this.#places = new Map();
    // It is broken or has never been: that it does not end in order is no news.
    await client.end().catch(() => undefined);
  }

  #unavailable(cause: unknown): AppError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const { table } = this.#settings;
    return new AppError(triggerErrors.MILLRACE_SOURCE_UNAVAILABLE, `The table ${table}: ${why}`, { cause });
  }
}

function recordOf(table: string, { id, payload, key, headers }: Row, isBinary: boolean): EventRecord {
  const text = payload ?? '';
  return {
    partition: table,
    position: id,
    key: key ?? undefined,
    headers: headersOf(headers),
    payload: isBinary ? Buffer.from(text.replace(/^\\x/, ''), 'hex') : Buffer.from(text),
    sentAt: undefined,
  };
}

/** Headers as a JSON object; anything else has none. */
function headersOf(text: string | null): Readonly<Record<string, string>> {
  if (text === null) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name.toLowerCase(),
      typeof one === 'string' ? one : JSON.stringify(one),
    ]),
  );
}
