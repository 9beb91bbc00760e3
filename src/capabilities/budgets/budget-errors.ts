import { declareErrors } from '../../kernel/declared-errors.ts';

/** What budgets refuse before anything is written; what they refuse of calls is decided with the reservation. */
export const budgetErrors = declareErrors({
  MILLRACE_BUDGET_EXHAUSTED: {
    status: 429,
    retryable: true,
    what: 'A budget that refuses new messages at its limit is used up; nothing was written.',
    todo: 'Send it again when the window turns, as Retry-After says, or raise the limit (docs/runbooks/budget.md).',
  },
});
