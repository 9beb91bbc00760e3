import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why there is no report. */
export const costErrors = declareErrors({
  MILLRACE_REPORT_TOO_LARGE: {
    status: 422,
    retryable: false,
    what: 'The report would take more time, memory or rows of the column store than one report may.',
    todo: 'Ask for a shorter period, fewer fields to group by, a filter, or for estimated counts of messages; or raise costs.reports. Embedded, a report has 400 MB at most whatever is configured: use a ClickHouse server for more.',
  },
});
