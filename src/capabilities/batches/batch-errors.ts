import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why a batch cannot be had, or done what is asked. */
export const batchErrors = declareErrors({
  MILLRACE_BATCH_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'There is no batch of this name or id that the caller may see.',
    todo: 'List the batches (`millrace batch list`), and check the team.',
  },
  MILLRACE_BATCH_STATE: {
    status: 409,
    retryable: false,
    what: 'The batch is in a state in which this cannot be done; the message says which.',
    todo: 'Look at the batch (`millrace batch show`), and do what its state allows.',
  },
});
