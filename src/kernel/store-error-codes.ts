import type { ErrorCodeEntry } from './error-code-entry.ts';

/** What can go wrong with the stores. */
export const storeErrorCodes = {
  MILLRACE_PACKAGE_MISSING: {
    status: 500,
    retryable: false,
    what: 'The configuration asks for something whose package is not installed: an embedded store, S3, or a provider.',
    todo: 'Run the command that the error gives, or configure what is installed (docs/installation.md).',
  },
  MILLRACE_DATABASE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The ledger database cannot be reached or did not answer in time.',
    todo: 'Check that PostgreSQL runs and accepts connections; work resumes by itself when it does.',
  },
  MILLRACE_CLOCK_OFF: {
    status: 503,
    retryable: true,
    what: "This machine's clock and the ledger database's are more than two seconds apart.",
    todo: "Synchronise both machines with NTP. What is spent and reported goes by the ledger's clock meanwhile; see docs/runbooks/clocks.md.",
  },
  MILLRACE_DATABASE_CONFLICT: {
    status: 503,
    retryable: true,
    what: 'The ledger database ended a transaction because of a deadlock or a serialisation conflict.',
    todo: 'Nothing: it is tried again. If it is frequent, look at docs/runbooks/ledger.md.',
  },
  MILLRACE_DATABASE_FAILED: {
    status: 500,
    retryable: false,
    what: 'The ledger database refused a statement.',
    todo: 'Read the cause in the log; check that all migrations are applied (millrace migrate).',
  },
  MILLRACE_DATABASE_POOLED: {
    status: 500,
    retryable: false,
    what: 'A pooler of connections, such as pgbouncer in transaction mode, is between Millrace and PostgreSQL, and drops or mixes the state of sessions.',
    todo: 'Connect to PostgreSQL directly, or set ledger.pooled and give the role its settings, as docs/deploys.md says. Queues on PostgreSQL need a direct connection.',
  },
  MILLRACE_DATA_REFUSED: {
    status: 422,
    retryable: false,
    what: 'The ledger database cannot hold a value: a malformed text, a number out of range, or a key too long.',
    todo: 'Correct the value that the cause names; the same data is refused again. Nothing of it was written.',
  },
  MILLRACE_DATA_IN_USE: {
    status: 500,
    retryable: false,
    what: 'The data directory is in use by another process (or twice by this one).',
    todo: 'Stop the process that the error names, or choose another data directory.',
  },
  MILLRACE_MIGRATION_CHANGED: {
    status: 500,
    retryable: false,
    what: 'A migration that was already applied has changed.',
    todo: 'Restore the migration as it was, and write the change as a new migration.',
  },
  MILLRACE_COLUMN_STORE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'ClickHouse cannot be reached or did not answer in time.',
    todo: 'Check that ClickHouse runs; usage waits in the ledger and is exported when it is back.',
  },
  MILLRACE_COLUMN_STORE_OUT_OF_MEMORY: {
    status: 503,
    retryable: true,
    what: 'ClickHouse had too little memory for a statement.',
    todo: 'Give ClickHouse more memory or less concurrent work; embedded it has 400 MB for a statement, and a server has what it is given. Usage waits in the ledger and drains by itself.',
  },
  MILLRACE_COLUMN_STORE_FAILED: {
    status: 500,
    retryable: false,
    what: 'ClickHouse refused a statement.',
    todo: 'Read the cause in the log; check that all migrations are applied (millrace migrate).',
  },
  MILLRACE_EXPORT_INCONSISTENT: {
    status: 500,
    retryable: false,
    what: 'Under the id of an export batch ClickHouse has rows that are not its own, or one twice; or a replicated table drops rows that it does not have; or rows are gone from the ledger. What is merely missing is inserted by itself.',
    todo: 'Compare the batch that the error names with its rows in ClickHouse; docs/runbooks/metering.md shows how.',
  },
  MILLRACE_EVENT_LOG_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The store of live events (Redis) cannot be reached or did not answer in time.',
    todo: 'Check that Redis runs. Requests go on and keep their results; streams show less meanwhile (docs/streams.md).',
  },
  MILLRACE_QUEUE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The queue store (Redis or PostgreSQL) cannot be reached or did not answer in time.',
    todo: 'Check that it runs; admitted messages are safe in the ledger and are published afterwards.',
  },
  MILLRACE_QUEUE_NOT_BULLMQ: {
    status: 500,
    retryable: false,
    what: 'An application injects the BullMQ queue of a stage, and this host has no BullMQ.',
    todo: 'Set queue.url to a Redis (or PostgreSQL), or import MillraceQueuesModule only where it is set.',
  },
  MILLRACE_PAYLOAD_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The payload store cannot be reached, is full, or did not answer in time.',
    todo: 'Check disk space or the bucket; the message is tried again.',
  },
  MILLRACE_PAYLOAD_MISSING: {
    status: 500,
    retryable: false,
    what: 'A stored payload is missing or its bytes do not match its digest.',
    todo: 'Restore the payload store from its backup, then replay the message.',
  },
  MILLRACE_LEDGER_BUSY: {
    status: 503,
    retryable: true,
    what: 'Too many operations wait for the ledger.',
    todo: 'Slow down and try again; if it lasts, give the database more room (docs/runbooks/ledger.md).',
  },
  MILLRACE_DATA_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'The data directory holds no ledger.',
    todo: 'Name the directory that the run used (--data), or the servers (MILLRACE_POSTGRES_URL, MILLRACE_CLICKHOUSE_URL). Where nothing has run yet, "millrace start" makes the ledger.',
  },
  MILLRACE_SCHEMA_OUTDATED: {
    status: 500,
    retryable: false,
    what: 'The stores do not have the schema of this version yet.',
    todo: 'Run "millrace migrate", or start the application, which does it too.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;
