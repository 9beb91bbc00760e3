import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why an erasure does not begin or does not end. */
export const erasureErrors = declareErrors({
  MILLRACE_ERASURE_BLOCKED: {
    status: 409,
    retryable: true,
    what: 'An erasure cannot begin: work of it is open, another erasure has not ended, or records are on their way.',
    todo: 'Do what the error says, and repeat the command; an erasure that has begun continues where it was.',
  },
  MILLRACE_ERASURE_FAILED: {
    status: 500,
    retryable: false,
    what: 'An erasure was given up after five tries: the ledger refuses something of its data. The export continues.',
    todo: "Find the failure in a maintenance process's log (job erasures), fix it, and ask for the erasure again.",
  },
});
