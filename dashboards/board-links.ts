/* Where a cell or a series leads. Time and the variables of the target travel along. */

/** The uid of every board, which alerts and links name. */
export const boardUids = {
  overview: 'millrace-overview',
  stage: 'millrace-stage',
  deadLetters: 'millrace-dead-letters',
  cost: 'millrace-cost',
  models: 'millrace-models',
  requests: 'millrace-requests',
  batches: 'millrace-batches',
  schedules: 'millrace-schedules',
  budgets: 'millrace-budgets',
  metering: 'millrace-metering',
} as const;

export interface Link {
  readonly title: string;
  readonly url: string;
}

/** Leads from a row of a table to a board, with variables set from the row's fields. */
export function rowLink(
  title: string,
  board: keyof typeof boardUids,
  variables: Readonly<Record<string, string>>,
): Link {
  const chosen = Object.entries(variables).map(
    ([variable, field]) => `var-${variable}=\${__data.fields["${field}"]:percentencode}`,
  );
  return { title, url: `/d/${boardUids[board]}?${[...chosen, '${__url_time_range}'].join('&')}` };
}
