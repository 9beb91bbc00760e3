import { declareErrors } from '../../kernel/declared-errors.ts';

/** What budgets refuse: new messages, calls that they can never have room for, and changes of what the configuration says. */
export const budgetErrors = declareErrors({
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
  MILLRACE_BUDGET_CONFIGURED: {
    status: 409,
    retryable: false,
    what: 'The budget is one of the configuration, which says all of it; nothing was changed.',
    todo: 'Set its limit alone ("millrace budgets limit"), or change the configuration and apply it.',
  },
});
