import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why there is no report, and why a period is not closed. */
export const costErrors = declareErrors({
  MILLRACE_REPORT_TOO_LARGE: {
    status: 422,
    retryable: false,
    what: 'The report would take more time, memory or rows of the column store than one report may.',
    todo: 'Ask for a shorter period, fewer fields to group by, a filter, or for estimated counts of messages; or raise costs.reports. Embedded, a report has 400 MB at most whatever is configured: use a ClickHouse server for more.',
  },
  MILLRACE_PERIOD_NOT_COMPLETE: {
    status: 409,
    retryable: true,
    what: 'The period cannot be closed yet: calls of it are under way, or records of it are not in the column store.',
    todo: 'Try again in some minutes. Calls whose process died are given up within an hour; millrace status shows what waits for export.',
  },
});
