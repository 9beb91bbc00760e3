/** The rows of one statement. Columns come as PostgreSQL's text parsers give them, see SqlDatabase. */
export interface SqlResult<Row> {
  readonly rows: Row[];
  /** Rows that an INSERT, UPDATE or DELETE touched. */
  readonly affected: number;
}

/** A named statement: the name is also the span's, the log's and the prepared statement's. */
export interface SqlStatement {
  readonly name: string;
  readonly text: string;
  /**
   * How often it is planned: anew for each run (default), so that its plan fits the tables as they are; or once a session,
   * as lookups by index alone, for a statement whose plan takes longer than its run and is the same however large the tables are.
   */
  readonly plan?: 'once';
}

/** Something that runs statements: a database, or one transaction of it. */
export interface SqlExecutor {
  /** Runs one statement with parameters ($1, $2, …). Arrays are PostgreSQL arrays. */
  query<Row = Record<string, unknown>>(
    statement: SqlStatement,
    parameters?: readonly unknown[],
  ): Promise<SqlResult<Row>>;
  /** Runs several statements without parameters, as a migration holds them. */
  execute(script: string): Promise<void>;
}

/** How full a pool is. */
export interface SqlConnections {
  readonly inUse: number;
  readonly limit: number;
}

/**
 * The database of the ledger: PostgreSQL, or PGlite in the same process.
 * `bigint` and `numeric` come as strings, `timestamptz` as Date, `json`/`jsonb` parsed, `bool`, `int4`, `float8` native.
 * Every failure is an AppError: MILLRACE_DATABASE_UNAVAILABLE (retryable: connection lost, server shutting down,
 * time-out), MILLRACE_DATABASE_CONFLICT (retryable: deadlock, serialisation), MILLRACE_DATABASE_FAILED (all else).
 */
export interface SqlDatabase extends SqlExecutor {
  readonly kind: 'pglite' | 'postgres';
  /** Runs `work` in one READ COMMITTED transaction: committed when it resolves, rolled back when it throws. */
  transaction<T>(work: (transaction: SqlExecutor) => Promise<T>): Promise<T>;
  /** Connections of this process's pool at present; undefined where all take turns on one session. */
  connections(): SqlConnections | undefined;
  /** Resolves if the database answers. */
  ping(): Promise<void>;
  /** Resolves after the last running statement; later calls fail. */
  close(): Promise<void>;
}
