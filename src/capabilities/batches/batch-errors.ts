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
  MILLRACE_BATCH_OUTPUT_TOO_LARGE: {
    status: 422,
    retryable: false,
    what: 'What the pipeline made of an item of a batch is larger than a line of the output may be (4 MiB).',
    todo: 'Read it from the messages of the item (`millrace messages show`), and have the pipeline emit less, or references.',
  },
  MILLRACE_BATCH_ITEM_TOO_LARGE: {
    status: 422,
    retryable: false,
    what: 'An item has more tokens than its batch allows (`caps`), and was left out, or failed without a call.',
    todo: 'Send the item in a batch with a higher bound, make it shorter, or name the text that may be cut (`caps.member`).',
  },
  MILLRACE_BATCH_ITEM_TAKEN: {
    status: 409,
    retryable: false,
    what: 'A message that the batch did not send has the identity of one of its items: team, source and id are the same, and data, type or origin are not. The item failed without a call.',
    todo: 'Look at the message with the id of the item (`millrace messages show`) and at who sent it, then send the item in another batch.',
  },
  MILLRACE_BATCH_EXISTS: {
    status: 409,
    retryable: false,
    what: 'The team has another batch of this name, which was asked for differently, or has another input.',
    todo: 'Choose another name (`--name`), or ask for exactly what the batch of this name was made with.',
  },
  MILLRACE_BATCH_INPUT_INVALID: {
    status: 422,
    retryable: false,
    what: 'The input of a batch has faults; the first thousand are listed by line or row. Nothing was started.',
    todo: 'Correct the lines and send the input again, or make the batch with onInvalid "skip" to leave faulty items out.',
  },
  MILLRACE_BATCH_OVER_BUDGET: {
    status: 409,
    retryable: false,
    what: 'The batch is expected to use more than what a budget that stops calls has left in its present window. Nothing was started.',
    todo: 'Raise the budget, wait for its next window, make the batch smaller, or start it all the same: "force": true, or --force.',
  },
  MILLRACE_BATCH_NO_HOST: {
    status: 409,
    retryable: false,
    what: 'The command was to wait for the end of a batch on an embedded installation on which no host runs: nothing would work on it.',
    todo: 'Start the host (`millrace start`), then submit again with --wait; or submit without --wait, and start the host after it.',
  },
  MILLRACE_BATCH_UPLOAD_REPLACED: {
    status: 409,
    retryable: false,
    what: 'Another upload has taken the place of this one, or the batch takes no items any more.',
    todo: 'Send the items of one batch by one sender at a time; the later upload is the one that counts.',
  },
  MILLRACE_BATCH_TYPE_UNCLEAR: {
    status: 422,
    retryable: false,
    what: 'It is not clear which messages the items of a batch are: the pipeline takes in none, or several types, or several stages consume one.',
    todo: 'Name the pipeline and the type that the error lists; a type that several stages consume cannot be run as a batch.',
  },
});
