import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why an operation on messages ends without its answer. */
export const messageOperationErrors = declareErrors({
  MILLRACE_WAIT_TIMEOUT: {
    status: 504,
    retryable: true,
    what: 'The message that was waited for had not ended in the given time. It goes on.',
    todo: 'Wait again, or longer; "millrace messages show ID" says where it stands.',
  },
});
