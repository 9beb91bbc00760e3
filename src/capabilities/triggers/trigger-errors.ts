import { declareErrors } from '../../kernel/declared-errors.ts';

/** What triggers refuse, and what keeps them from their sources. */
export const triggerErrors = declareErrors({
  MILLRACE_SOURCE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The source of a trigger cannot be reached or does not take the command. Nothing was acknowledged: its events come again.',
    todo: 'Look at the broker, and at the address and the rights under `triggers.sources`. Consumption goes on by itself.',
  },
  MILLRACE_EVENT_UNREADABLE: {
    status: 400,
    retryable: false,
    what: 'No message can be made of the event: it is not written in the form that its trigger says, or lacks what the trigger takes from it.',
    todo: 'Correct the sender or the trigger. The event stands in `millrace.unreadable_events`, as it came.',
  },
});
