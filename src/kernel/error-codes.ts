/*
 * The one table of error codes. docs/errors.md is generated from it; a test compares the two.
 * `status` is the HTTP status when the error reaches an API caller; `retryable` says whether the same
 * attempt may succeed later.
 */

interface ErrorCodeEntry {
  readonly status: number;
  readonly retryable: boolean;
  /** What happened, in one sentence. */
  readonly what: string;
  /** What the reader can do about it. */
  readonly todo: string;
}

const table = {
  MILLRACE_CONFIG_INVALID: {
    status: 500,
    retryable: false,
    what: 'The configuration is not valid; every fault is listed.',
    todo: 'Correct each named setting; docs/configuration.md lists them all with their defaults.',
  },
  MILLRACE_ORIGIN_INVALID: {
    status: 422,
    retryable: false,
    what: 'The origin is missing or a field of it is not valid.',
    todo: 'Give team, customer and feature (1 to 128 characters each); batch and labels are optional.',
  },
  MILLRACE_MESSAGE_TYPE_UNKNOWN: {
    status: 422,
    retryable: false,
    what: 'No message type of this name is registered.',
    todo: 'Check the type against the accepted ones that the error lists, or register its stage.',
  },
  MILLRACE_MESSAGE_VERSION_UNSUPPORTED: {
    status: 422,
    retryable: false,
    what: 'The message type is known but this schema version of it is not accepted.',
    todo: 'Send an accepted version (the error lists them), or deploy the consumer with an up-caster first.',
  },
  MILLRACE_MESSAGE_INVALID: {
    status: 422,
    retryable: false,
    what: 'The message data does not fit the schema of its type and version.',
    todo: 'Correct the fields that the error lists.',
  },
  MILLRACE_MESSAGE_TOO_LARGE: {
    status: 413,
    retryable: false,
    what: 'The message data is larger than the configured limit.',
    todo: 'Send a reference instead of the data, or raise messages.maxBytes.',
  },
  MILLRACE_DATABASE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The ledger database cannot be reached or did not answer in time.',
    todo: 'Check that PostgreSQL runs and accepts connections; work resumes by itself when it does.',
  },
  MILLRACE_DATABASE_CONFLICT: {
    status: 503,
    retryable: true,
    what: 'The ledger database gave up a transaction for the sake of another (deadlock or serialisation).',
    todo: 'Nothing: it is tried again. If it is frequent, look at docs/runbooks/ledger.md.',
  },
  MILLRACE_DATABASE_FAILED: {
    status: 500,
    retryable: false,
    what: 'The ledger database refused a statement.',
    todo: 'Read the cause in the log; check that all migrations are applied (millrace migrate).',
  },
  MILLRACE_COLUMN_STORE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'ClickHouse cannot be reached or did not answer in time.',
    todo: 'Check that ClickHouse runs; usage waits in the ledger and drains by itself.',
  },
  MILLRACE_COLUMN_STORE_FAILED: {
    status: 500,
    retryable: false,
    what: 'ClickHouse refused a statement.',
    todo: 'Read the cause in the log; check that all migrations are applied (millrace migrate).',
  },
  MILLRACE_QUEUE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The queue store (Redis or PostgreSQL) cannot be reached or did not answer in time.',
    todo: 'Check that it runs; admitted messages are safe in the ledger and are published afterwards.',
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
  MILLRACE_PRICE_OVERLAY_INVALID: {
    status: 500,
    retryable: false,
    what: 'The price overlay file cannot be used; every fault is listed.',
    todo: 'Correct each named entry; docs/prices.md shows the format.',
  },
  MILLRACE_MODEL_UNKNOWN: {
    status: 500,
    retryable: false,
    what: 'The model reference does not name a configured provider.',
    todo: 'Write it as provider/model and configure the provider under models.providers.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof table;

/** Every error code with its HTTP status, whether it may be retried, and what to do. */
export const errorCodes: Readonly<Record<ErrorCode, ErrorCodeEntry>> = table;
