import { declareErrors } from '../../kernel/declared-errors.ts';

/** What schedules refuse. */
export const scheduleErrors = declareErrors({
  MILLRACE_SCHEDULE_EXISTS: {
    status: 409,
    retryable: false,
    what: 'The team has another schedule of this name; nothing was changed.',
    todo: 'Replace that one, or take another name.',
  },
  MILLRACE_SCHEDULE_CONFIGURED: {
    status: 409,
    retryable: false,
    what: 'The schedule is one of the configuration, which says all of it; nothing was changed.',
    todo: 'Pause it, or change the configuration.',
  },
  MILLRACE_SCHEDULE_LIMIT: {
    status: 409,
    retryable: false,
    what: 'There are as many schedules as there may be, of the team or of all; nothing was written.',
    todo: 'Delete schedules that are not wanted any more, or raise "schedules.maxPerTeam" or "schedules.max".',
  },
  MILLRACE_SCHEDULE_STATE: {
    status: 409,
    retryable: false,
    what: 'The schedule is not in a state in which this can be done; nothing was changed.',
    todo: 'Look at it: it may be paused already, not be paused, or have no time that is still to come.',
  },
});
