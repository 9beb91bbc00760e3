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
  MILLRACE_MESSAGE_HOPS_EXCEEDED: {
    status: 500,
    retryable: false,
    what: 'The message follows from its admitted one over more emissions than are allowed; the path is listed.',
    todo: 'Let the stages of the path stop emitting to each other; or raise messages.maxHops and replay the dead letter.',
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
    todo: 'Check that ClickHouse runs; usage waits in the ledger and drains by itself.',
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
    what: 'ClickHouse holds a part of an export batch, or more than the batch, and repeating it cannot mend that.',
    todo: 'Compare the batch that the error names with its rows in ClickHouse; docs/runbooks/metering.md shows how.',
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
  MILLRACE_LEDGER_BUSY: {
    status: 503,
    retryable: true,
    what: 'Too many operations wait for the ledger.',
    todo: 'Slow down and try again; if it lasts, give the database more room (docs/runbooks/ledger.md).',
  },
  MILLRACE_LEASE_LOST: {
    status: 500,
    retryable: true,
    what: 'The lease on the message could not be kept, so its work was stopped before another worker may take it.',
    todo: 'Nothing: the message is taken up again; after maxLostRuns of the stage it is given up. If it is frequent, look at the database and the event loop lag.',
  },
  MILLRACE_RUNS_LOST: {
    status: 500,
    retryable: false,
    what: 'Run after run of the message was lost with its worker: it may be what kills them, so it is not given to a further one.',
    todo: "Look how the workers ended (out of memory, a crash, an event loop that is blocked for longer than a lease), mend that, then replay. See docs/runbooks/dead-letters.md; the stage's maxLostRuns is the limit.",
  },
  MILLRACE_SIMULATOR_BILL_UNREADABLE: {
    status: 500,
    retryable: false,
    what: "A line of the simulator's bill is not an entry.",
    todo: 'Take the damaged bill.jsonl away, or give the simulator another data directory.',
  },
  MILLRACE_STAGE_FAILED: {
    status: 500,
    retryable: true,
    what: 'A stage handler threw an error of its own.',
    todo: 'Read the dead letter: it holds the error with its stack; mend the stage and replay the message.',
  },
  MILLRACE_STAGE_TIMEOUT: {
    status: 500,
    retryable: true,
    what: 'A stage handler took longer than its time-out for one message.',
    todo: "Raise the stage's timeout, or look at what it waits for; it is tried again.",
  },
  MILLRACE_MODEL_RATE_LIMITED: {
    status: 429,
    retryable: true,
    what: 'The model provider refused the request because too many were sent, or because its quota is used up.',
    todo: 'Nothing: it is tried again when the provider allows. If it lasts, raise the limits at the provider.',
  },
  MILLRACE_MODEL_OVERLOADED: {
    status: 503,
    retryable: true,
    what: 'The model provider has no capacity at the moment.',
    todo: 'Nothing: it is tried again. If it lasts, use another model or service tier.',
  },
  MILLRACE_MODEL_SERVER_ERROR: {
    status: 502,
    retryable: true,
    what: 'The model provider failed while it worked on the request.',
    todo: "Nothing: it is tried again. If it lasts, look at the provider's status page.",
  },
  MILLRACE_MODEL_TIMEOUT: {
    status: 504,
    retryable: true,
    what: 'The model provider did not answer in time; the call may have been billed and is kept as unsettled.',
    todo: 'Raise timeoutMs of the provider if its answers take that long.',
  },
  MILLRACE_MODEL_NETWORK: {
    status: 502,
    retryable: true,
    what: 'The connection to the model provider could not be made, or broke before the answer was complete.',
    todo: 'Check the network and the base URL of the provider; the call is tried again.',
  },
  MILLRACE_MODEL_CONFLICT: {
    status: 502,
    retryable: true,
    what: 'The model provider refused the request because of another one in progress.',
    todo: 'Nothing: it is tried again.',
  },
  MILLRACE_MODEL_BAD_REQUEST: {
    status: 422,
    retryable: false,
    what: 'The model provider, or the client of it, did not accept the request.',
    todo: 'Correct the request as the message says; the same request will be refused again.',
  },
  MILLRACE_MODEL_CONTENT_POLICY: {
    status: 422,
    retryable: false,
    what: "The request or its answer was refused by the model provider's content policy.",
    todo: 'Change the input, or take the item out of the pipeline.',
  },
  MILLRACE_MODEL_CONTEXT_TOO_LONG: {
    status: 422,
    retryable: false,
    what: 'The request is longer than the model can take.',
    todo: 'Shorten or split the input, or use a model with a larger context.',
  },
  MILLRACE_MODEL_AUTHENTICATION: {
    status: 502,
    retryable: false,
    what: 'The model provider did not accept the key, or the key may not use this model.',
    todo: 'Correct apiKey of the provider, or its rights and billing at the provider.',
  },
  MILLRACE_MODEL_NOT_FOUND: {
    status: 502,
    retryable: false,
    what: 'The model provider does not know the model or the address.',
    todo: 'Check the model name and the base URL of the provider.',
  },
  MILLRACE_MODEL_MALFORMED_ANSWER: {
    status: 502,
    retryable: true,
    what: 'The model provider answered with something that cannot be read; the call may have been billed.',
    todo: 'Nothing: it is tried again. If it lasts, check the kind and the base URL of the provider.',
  },
  MILLRACE_MODEL_REDIRECTED: {
    status: 502,
    retryable: false,
    what: 'The model provider answered with a redirect, which is never followed: the key and the prompt would go elsewhere.',
    todo: 'Set the base URL of the provider to the address that answers itself.',
  },
  MILLRACE_MODEL_ANSWER_TOO_LARGE: {
    status: 502,
    retryable: false,
    what: 'The answer of the model provider, decompressed, was larger than an answer may be; the call may have been billed.',
    todo: 'Ask for less, or raise maxAnswerBytes of the provider if its answers are that large.',
  },
  MILLRACE_MODEL_STALLED: {
    status: 504,
    retryable: true,
    what: 'The answer of the model provider had begun and then was silent for too long; the call may have been billed.',
    todo: 'Nothing: it is tried again. If it lasts, raise idleTimeoutMs of the provider.',
  },
  MILLRACE_MODEL_ABORTED: {
    status: 503,
    retryable: true,
    what: 'The request was aborted before its answer was complete; what it may have cost is kept.',
    todo: 'Nothing: the work was stopped on purpose and is taken up again where it should be.',
  },
  MILLRACE_MODEL_FAILED: {
    status: 502,
    retryable: true,
    what: 'The request to the model failed in a way that is not known.',
    todo: 'Read the cause in the log.',
  },
  MILLRACE_REQUEST_INVALID: {
    status: 400,
    retryable: false,
    what: 'The request cannot be understood; every fault is listed.',
    todo: 'Correct each named field; /openapi.json describes what is accepted.',
  },
  MILLRACE_UNAUTHENTICATED: {
    status: 401,
    retryable: false,
    what: 'The request carries no API key, or one that is unknown or revoked.',
    todo: 'Send a valid key as "Authorization: Bearer mr_…".',
  },
  MILLRACE_FORBIDDEN: {
    status: 403,
    retryable: false,
    what: 'The API key is valid but does not allow this.',
    todo: 'Use a key with the scope or the team that the error names.',
  },
  MILLRACE_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'There is nothing under this address, or nothing that the API key may see.',
    todo: 'Check method, path and id; finished messages leave the ledger after the retention time.',
  },
  MILLRACE_NOT_ACCEPTABLE: {
    status: 406,
    retryable: false,
    what: 'The answer does not exist in a format that the request accepts.',
    todo: 'Ask for a format that the error names in the Accept header, or leave the header out.',
  },
  MILLRACE_REQUEST_TOO_LARGE: {
    status: 413,
    retryable: false,
    what: 'The body of the request is larger than the API accepts.',
    todo: 'Send fewer events in one request, or raise messages.maxBytes.',
  },
  MILLRACE_OVERLOADED: {
    status: 503,
    retryable: true,
    what: 'More is asked of the API at once than it takes on.',
    todo: 'Ask again after Retry-After with fewer requests at once, or raise the limit under http.limits.',
  },
  MILLRACE_RATE_LIMITED: {
    status: 429,
    retryable: true,
    what: 'This API key has made more requests than it may make in a minute.',
    todo: 'Ask again after Retry-After, or raise http.limits.requestsPerMinute.',
  },
  MILLRACE_MEDIA_TYPE_UNSUPPORTED: {
    status: 415,
    retryable: false,
    what: 'The body of the request is of a type that is not accepted here.',
    todo: 'Send JSON with the header "content-type: application/json", or another type that /openapi.json lists for this path.',
  },
  MILLRACE_INTERNAL: {
    status: 500,
    retryable: false,
    what: 'Something failed inside; the log has the error under the id of the request.',
    todo: 'Look for the x-request-id of the answer in the log, and report it if it is a bug.',
  },
  MILLRACE_HTTP_ADDRESS_UNAVAILABLE: {
    status: 500,
    retryable: false,
    what: 'The HTTP server cannot listen on the configured address.',
    todo: 'Free the port, or choose another one (http.host, http.port).',
  },
  MILLRACE_STAGES_UNUSABLE: {
    status: 500,
    retryable: false,
    what: 'The file given as --stages cannot be loaded, or exports neither a Nest module nor a class marked @Stage.',
    todo: 'Give the compiled JavaScript file that exports your module or stages; the error names what is wrong with it.',
  },
  MILLRACE_DATA_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'The data directory holds no ledger.',
    todo: 'Name the directory that the run used (--data), or the servers (MILLRACE_POSTGRES_URL, MILLRACE_CLICKHOUSE_URL).',
  },
  MILLRACE_SCHEMA_OUTDATED: {
    status: 500,
    retryable: false,
    what: 'The stores do not have the schema of this version yet.',
    todo: 'Run "millrace migrate", or start the application, which does it too.',
  },
  MILLRACE_WORK_PARKED: {
    status: 503,
    retryable: true,
    what: 'The work may not go on now: a pause, a limit, an open circuit or a budget. It is put aside, and no attempt is counted.',
    todo: 'Nothing, if the wait is meant. "millrace status" shows what work waits for; resume, or raise the limit.',
  },
  MILLRACE_BUDGET_EXHAUSTED: {
    status: 429,
    retryable: true,
    what: 'A budget that refuses new messages at its limit is used up; nothing was written.',
    todo: 'Send it again when the window turns, as Retry-After says, or raise the limit (docs/runbooks/budget.md).',
  },
  MILLRACE_BUDGET_UNPRICED: {
    status: 422,
    retryable: false,
    what: 'No price is known for the model, and a budget that concerns the call allows none without one; it was not made.',
    todo: 'Add a price to the overlay (docs/prices.md), or set "unpriced" of the budget to "allow"; then replay the message.',
  },
  MILLRACE_BUDGET_CALL_TOO_LARGE: {
    status: 422,
    retryable: false,
    what: 'What the call may cost at most is above the limit of a budget, so that it can never fit; it was not made.',
    todo: 'Set a lower limit of output tokens, shorten the input, or raise the limit of the budget; then replay the message.',
  },
  MILLRACE_ANSWER_DEGENERATE: {
    status: 502,
    retryable: true,
    what: "A model's answer is of no use: empty, cut off, or not what the stage needs. It is paid for and counted as waste.",
    todo: "Nothing: it is asked for again, within the stage's degenerate.maxAttempts. If it lasts, look at prompt, schema and maxOutputTokens.",
  },
  MILLRACE_MESSAGE_CANCELLED: {
    status: 409,
    retryable: false,
    what: 'The handler of the message, or an operator, says that its work is not wanted any more.',
    todo: 'Nothing: the message ends as cancelled, and is no dead letter.',
  },
  MILLRACE_WAIT_TIMEOUT: {
    status: 504,
    retryable: true,
    what: 'The message that was waited for had not ended in the given time. It goes on.',
    todo: 'Wait again, or longer; "millrace messages show ID" says where it stands.',
  },
  MILLRACE_ERASURE_BLOCKED: {
    status: 409,
    retryable: true,
    what: 'An erasure cannot begin: work of it is open, another erasure has not ended, or records are on their way.',
    todo: 'Do what the error says, and give the command again; an erasure that has begun goes on where it was.',
  },
  MILLRACE_STARTUP_REFUSED: {
    status: 500,
    retryable: false,
    what: 'A start-up check found what would break a promise; every finding is listed.',
    todo: 'Mend each as it says ("millrace check" shows them all), or allow its code in startup.allow.',
  },
  MILLRACE_SIMULATOR_FAILED: {
    status: 500,
    retryable: false,
    what: 'The simulated provider did not start, or ended while it was needed.',
    todo: 'Read what it said, which the error quotes; run the command again to go on.',
  },
  MILLRACE_DEMO_DOCUMENTS_MISSING: {
    status: 422,
    retryable: false,
    what: 'The folder of documents is not there, or holds no text.',
    todo: 'Give a folder with text files as --documents, or leave the option out.',
  },
  MILLRACE_DEMO_FOLDER_UNUSABLE: {
    status: 422,
    retryable: false,
    what: 'The data folder of the demo holds something else than a run of the demo.',
    todo: 'Give a new or empty folder as --data, or the folder of an earlier run of the demo.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof table;

/** Every error code with its HTTP status, whether it may be retried, and what to do. */
export const errorCodes: Readonly<Record<ErrorCode, ErrorCodeEntry>> = table;
