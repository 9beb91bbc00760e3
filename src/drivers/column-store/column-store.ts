/** How one insert is made. */
export interface ColumnInsert {
  readonly table: string;
  /** Rows as JSON lines (JSONEachRow), each ended by a newline, already rendered. */
  readonly lines: string;
  /** The server drops a second insert of the same token within the table's deduplication window. */
  readonly deduplicationToken: string;
}

/**
 * The store of usage records: a ClickHouse server over HTTP, or chDB (the same engine) in the process.
 * Decimals and 64-bit integers come as strings in results. Failures are AppErrors: MILLRACE_COLUMN_STORE_UNAVAILABLE
 * or MILLRACE_COLUMN_STORE_OUT_OF_MEMORY (retryable; the statement may or may not have taken effect) or MILLRACE_COLUMN_STORE_FAILED (the engine refused it).
 */
export interface ColumnStore {
  readonly kind: 'chdb' | 'clickhouse';
  readonly database: string;
  /** Rows of a SELECT. Parameters are bound by the engine as {name:Type}. */
  query<Row>(sql: string, parameters?: Readonly<Record<string, unknown>>): Promise<Row[]>;
  /** A statement without rows (DDL). */
  command(sql: string): Promise<void>;
  /** One insert, acknowledged after it is durable. */
  insert(insert: ColumnInsert): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
