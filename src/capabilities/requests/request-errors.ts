import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why a request is not accepted, cannot be had, or did not succeed. */
export const requestErrors = declareErrors({
  MILLRACE_PIPELINE_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'No stage belongs to the pipeline that was named.',
    todo: 'Check the name of the pipeline: the error lists those that there are.',
  },
  MILLRACE_REQUEST_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'There is no request of this id that the caller may see.',
    todo: 'Check the id and the team of the key; requests leave the ledger after the retention time.',
  },
  MILLRACE_REQUEST_TYPE_UNCLEAR: {
    status: 422,
    retryable: false,
    what: 'It is not clear which message a request to the pipeline is: it takes in several types, or none, or several stages consume one.',
    todo: 'Name the type that the error lists; a type that several stages consume cannot be asked for.',
  },
  MILLRACE_IDEMPOTENCY_KEY_INVALID: {
    status: 400,
    retryable: false,
    what: 'The Idempotency-Key is neither a text in quotes nor a bare one of 1 to 255 printable ASCII characters.',
    todo: 'Send one key, such as a UUID, for each thing that you want done once.',
  },
  MILLRACE_IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retryable: false,
    what: 'The Idempotency-Key stands for another request of the same team: pipeline, origin, data or options are not the same.',
    todo: 'Send a new key for a new request, or exactly what the key was first sent with.',
  },
  MILLRACE_REQUEST_BACKLOG: {
    status: 503,
    retryable: true,
    what: 'So much waits at the first stage of the pipeline that nothing more is accepted.',
    todo: 'Come back after the time in Retry-After; operators raise `requests.maxQueued`, or add workers.',
  },
  MILLRACE_REQUEST_ENDED: {
    status: 409,
    retryable: false,
    what: 'The request has ended; it cannot be cancelled any more.',
    todo: 'Read how it ended: the request, or "millrace requests show ID".',
  },
  MILLRACE_REQUEST_RESULT_TOO_LARGE: {
    status: 422,
    retryable: false,
    what: 'What the pipeline said at its end is larger than a result may be (`requests.resultBytes`).',
    todo: 'Read it from the messages of the request (`millrace messages show`), and have the pipeline emit less, or references.',
  },
});
