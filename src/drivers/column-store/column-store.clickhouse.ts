import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClickHouseClient,
  type ClickHouseClientConfigOptions,
  ClickHouseLogLevel,
  createClient,
} from '@clickhouse/client';
import { AppError } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import { columnStoreFailure } from './column-store-failure.ts';
import type { ColumnInsert, ColumnStore } from './column-store.ts';

/** A ClickHouse server over HTTP. */
export interface ClickHouseServerOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** How long one request may stay silent. */
  readonly requestTimeoutMs: number;
  /** Requests at once; more wait in the client. */
  readonly maxConnections: number;
}

/** chDB in this process. The directory belongs to one process at a time, and a process has one directory at a time. */
export interface ChdbOptions {
  readonly directory: string;
  readonly database: string;
}

// Decimals and 64-bit integers as strings, in both modes: a JSON number would round money.
const resultSettings = {
  output_format_json_quote_decimals: 1,
  output_format_json_quote_64bit_integers: 1,
  date_time_input_format: 'best_effort',
} as const;

// An insert is acknowledged when it is stored (not queued), as one block a partition, so that its token
// covers it whole; the views drop a repeated block by their own windows.
const insertSettings = [
  'async_insert = 0',
  'insert_deduplicate = 1',
  'deduplicate_blocks_in_dependent_materialized_views = 1',
  'min_insert_block_size_rows = 10000000',
  'min_insert_block_size_bytes = 0',
  'input_format_parallel_parsing = 0',
  "date_time_input_format = 'best_effort'",
].join(', ');

// Bounds for an engine that shares a process: its own defaults are a server's (gigabytes of cache).
const embeddedArguments = [
  '--mark_cache_size=67108864',
  '--index_mark_cache_size=16777216',
  '--primary_index_cache_size=67108864',
  '--query_condition_cache_size=8388608',
  '--compiled_expression_cache_size=8388608',
];
const embeddedSettings = {
  max_memory_usage: 400_000_000,
  max_bytes_before_external_group_by: 150_000_000,
} as const;

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The column store on @clickhouse/client: the same statements go to a server over HTTP and to chDB in the process.
 * An insert carries its settings and rows in its own text, so that nothing of it stays behind in a session.
 */
export class ClickHouseColumnStore implements ColumnStore {
  readonly kind: ColumnStore['kind'];
  readonly database: string;
  readonly #client: ClickHouseClient;
  readonly #release: () => Promise<void>;

  constructor(
    kind: ColumnStore['kind'],
    database: string,
    client: ClickHouseClient,
    release: () => Promise<void>,
  ) {
    invariant(identifier.test(database), `"${database}" is a database name`);
    this.kind = kind;
    this.database = database;
    this.#client = client;
    this.#release = release;
  }

  async query<Row>(sql: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<Row[]> {
    try {
      const result = await this.#client.query({
        query: sql,
        format: 'JSONEachRow',
        query_params: { ...parameters },
      });
      return await result.json<Row>();
    } catch (error) {
      throw columnStoreFailure('The query failed', error);
    }
  }

  async command(sql: string): Promise<void> {
    try {
      await this.#client.command({ query: sql });
    } catch (error) {
      throw columnStoreFailure('The statement failed', error);
    }
  }

  async insert({ table, lines, deduplicationToken }: ColumnInsert): Promise<void> {
    invariant(identifier.test(table), `"${table}" is a table name`);
    invariant(
      /^[\w.:-]{1,200}$/.test(deduplicationToken),
      `"${deduplicationToken}" is a deduplication token`,
    );
    if (lines === '') return;
    const target = `INSERT INTO ${this.database}.${table}`;
    const settings = `SETTINGS ${insertSettings}, insert_deduplication_token = '${deduplicationToken}'`;
    try {
      await this.#client.command({ query: `${target} ${settings} FORMAT JSONEachRow\n${lines}` });
    } catch (error) {
      throw columnStoreFailure(`The insert into ${table} failed`, error);
    }
  }

  async ping(): Promise<void> {
    // A SELECT, because the ping endpoint answers whoever asks: this checks the credentials too.
    const result = await this.#client.ping({ select: true });
    if (!result.success) throw columnStoreFailure('ClickHouse did not answer', result.error);
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#release();
  }
}

/** A store on a ClickHouse server. Connects when first used. */
export function connectClickHouse(options: ClickHouseServerOptions): ClickHouseColumnStore {
  const client = createClient({
    url: options.url,
    username: options.user,
    password: options.password,
    request_timeout: options.requestTimeoutMs,
    max_open_connections: options.maxConnections,
    compression: { request: true, response: true },
    keep_alive: { enabled: true },
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: { ...resultSettings, wait_end_of_query: 1 },
  });
  return new ClickHouseColumnStore('clickhouse', options.database, client, () => Promise.resolve());
}

/** A store on chDB in this process, in `directory`, which is made when it is not there. */
export async function openChdb({ directory, database }: ChdbOptions): Promise<ClickHouseColumnStore> {
  // Imported when needed: the engine's library alone takes 200 MB.
  const [{ Session, drainPending }, { createChdbConnection }] = await Promise.all([
    import('chdb'),
    import('chdb/connection'),
  ]);
  try {
    // The connection cannot be given engine arguments; it joins the engine that this session starts with them.
    const engine = new Session(directory, { connectionArgs: embeddedArguments });
    const client = createClient({
      connection: asClientConnection(createChdbConnection({ path: directory })),
      log: { level: ClickHouseLogLevel.OFF },
    });
    // Kept by the connection's session, so that each statement goes alone.
    for (const [name, value] of Object.entries({ ...resultSettings, ...embeddedSettings })) {
      await client.command({ query: `SET ${name} = '${value}'` });
    }
    return new ClickHouseColumnStore('chdb', database, client, async () => {
      engine.close();
      // Operations that were given up on still run in the engine; the directory is free only after them.
      await drainPending();
    });
  } catch (error) {
    throw openFailure(directory, error);
  }
}

// The engine writes why it did not open to stderr and tells its caller nothing. A running engine holds a lock on its
// status file; one that closed in order leaves no such file.
function openFailure(directory: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const isInUse = existsSync(join(directory, 'status'));
  return new AppError(
    isInUse ? 'MILLRACE_DATA_IN_USE' : 'MILLRACE_COLUMN_STORE_FAILED',
    `chDB did not open ${directory}${isInUse ? ', which another process seems to use' : ''}: ${reason}`,
    { cause: error },
  );
}

type ClientConnection = NonNullable<ClickHouseClientConfigOptions['connection']>;

/**
 * chDB's connection is typed against @clickhouse/client-common and the client carries its own copy of the same
 * interface, with a private field in it: the same shape, but not the same type.
 */
function asClientConnection(connection: unknown): ClientConnection {
  return connection as ClientConnection;
}
