import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why a wait cannot be completed. */
export const waitErrors = declareErrors({
  MILLRACE_WAIT_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'The token is not that of a wait which the caller may see.',
    todo: 'Check the token, and the team of the key. Waits that have ended leave the ledger with their messages.',
  },
  MILLRACE_WAIT_NOT_READY: {
    status: 409,
    retryable: true,
    what: 'The handler that gave the token out has not ended yet, so that its message does not wait yet.',
    todo: 'Come back in some seconds. If the handler is given up, the token is good for nothing.',
  },
  MILLRACE_WAIT_ENDED: {
    status: 409,
    retryable: false,
    what: 'The wait has ended: it was completed before, its time limit is over, or its message was cancelled. The error says which.',
    todo: 'Nothing: a token is good once.',
  },
});
