import type { ErrorCodeEntry } from './error-code-entry.ts';
import { modelErrorCodes } from './model-error-codes.ts';
import { storeErrorCodes } from './store-error-codes.ts';

/*
 * The error codes of everything but capabilities, which declare their own (src/kernel/declared-errors.ts). The host puts them
 * together (src/host/error-codes.ts); docs/errors.md is generated from that, and a test compares the two.
 */

const table = {
  MILLRACE_CONFIG_INVALID: {
    status: 500,
    retryable: false,
    what: 'The configuration is not valid; every fault is listed.',
    todo: 'Correct each named setting; docs/configuration.md lists them all with their defaults.',
  },
  MILLRACE_CLOSING: {
    status: 503,
    retryable: false,
    what: 'The application is closing, or has closed: this process does nothing more.',
    todo: 'End the work that asks. What was admitted goes on at the next start, or in another process.',
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
  MILLRACE_WAIT_EXPIRED: {
    status: 500,
    retryable: false,
    what: 'The message waited for an outside event, nobody gave it its data in time, and its stage did not say what then.',
    todo: 'Nothing by itself: let the work begin anew, or give the wait a longer time or data for this case.',
  },
  MILLRACE_MESSAGE_TOO_LARGE: {
    status: 413,
    retryable: false,
    what: 'The message data is larger than the configured limit.',
    todo: 'Send a reference instead of the data, or raise messages.maxBytes (over HTTP http.limits.eventBytes too).',
  },
  MILLRACE_PRICE_OVERLAY_INVALID: {
    status: 500,
    retryable: false,
    what: 'The price overlay file cannot be used; every fault is listed.',
    todo: 'Correct each named entry; docs/prices.md shows the format.',
  },
  MILLRACE_LEASE_EXPIRED: {
    status: 500,
    retryable: true,
    what: 'The lease on the message could not be kept, so its work was stopped before another worker may take it.',
    todo: 'Nothing: the message is taken up again; after maxExpiredLeases of the stage it is given up. If it is frequent, look at the database and the event loop lag.',
  },
  MILLRACE_MESSAGE_STALLED: {
    status: 500,
    retryable: false,
    what: 'The leases of several runs of the message expired with their workers: the message may be the cause, so it is not processed again.',
    todo: "Find out how the workers ended (out of memory, a crash, an event loop that is blocked for longer than a lease), fix that, then replay. See docs/runbooks/dead-letters.md; the stage's maxExpiredLeases is the limit.",
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
    todo: 'Read the dead letter: it holds the error with its stack; fix the stage and replay the message.',
  },
  MILLRACE_STAGE_TIMEOUT: {
    status: 500,
    retryable: true,
    what: 'A stage handler took longer than its time-out for one message.',
    todo: "Raise the stage's timeout, or find out what it waits for; it is tried again.",
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
    what: 'The request carries no API key, or one that is unknown, revoked or over, or a token that is not valid.',
    todo: 'Send a valid key as "Authorization: Bearer mr_…", or a token that the identity provider has just issued.',
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
    todo: 'Check the id (of a request also its path and method); finished messages leave the ledger after the retention time.',
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
    todo: 'Send fewer events in one request, or raise http.limits.bodyBytes (for one event http.limits.eventBytes).',
  },
  MILLRACE_REQUEST_TIMEOUT: {
    status: 408,
    retryable: true,
    what: 'The request did not arrive whole in time.',
    todo: 'Send it again without pauses, in smaller parts, or raise http.limits.bodyTimeoutMs.',
  },
  MILLRACE_OVERLOADED: {
    status: 503,
    retryable: true,
    what: 'The API has more requests at once than it accepts.',
    todo: 'Ask again after Retry-After with fewer requests at once, or raise the limit under http.limits.',
  },
  MILLRACE_RATE_LIMITED: {
    status: 429,
    retryable: true,
    what: 'This API key has made more requests than it may make in a minute or at once.',
    todo: 'Ask again after Retry-After with fewer requests at once, or raise the limit for a key under http.limits.',
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
  MILLRACE_WORK_PARKED: {
    status: 503,
    retryable: true,
    what: 'The work may not go on now: a pause, a limit, an open circuit or a quota without room. It is put aside, and no attempt is counted.',
    todo: 'Nothing, if the wait is intended. "millrace status" shows what work waits for; resume, or raise the limit.',
  },
  MILLRACE_MESSAGE_CANCELLED: {
    status: 409,
    retryable: false,
    what: 'The handler of the message, or an operator, cancelled its work.',
    todo: 'Nothing: the message ends as cancelled, and is no dead letter.',
  },
  MILLRACE_STARTUP_REFUSED: {
    status: 500,
    retryable: false,
    what: 'A start-up check found what would break a promise; every finding is listed.',
    todo: 'Fix each as it says ("millrace check" shows them all), or allow its code in startup.allow.',
  },
  MILLRACE_SIMULATOR_FAILED: {
    status: 500,
    retryable: false,
    what: 'The simulated provider did not start, or ended while it was needed.',
    todo: 'Read its output, which the error quotes; run the command again to continue.',
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
  ...storeErrorCodes,
  ...modelErrorCodes,
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof table;

/** Each of these codes with its HTTP status, whether it may be retried, and what to do. */
export const errorCodes: Readonly<Record<ErrorCode, ErrorCodeEntry>> = table;
