import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why an operation on messages ends without its answer. */
export const messageOperationErrors = declareErrors({
  MILLRACE_WAIT_TIMEOUT: {
    status: 504,
    retryable: true,
    what: 'The message did not end within the given time. It is still being processed.',
    todo: 'Wait again, or longer; "millrace messages show ID" shows its state.',
  },
  MILLRACE_WAIT_NO_HOST: {
    status: 409,
    retryable: false,
    what: 'The message has not ended, and no host runs on the embedded installation that the command waits at.',
    todo: 'Start a host on the same --data first ("millrace start"), or give --timeout.',
  },
});
