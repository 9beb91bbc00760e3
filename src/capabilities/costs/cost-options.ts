import type { Command } from 'commander';
import { namesOption } from '../../terminal/option-values.ts';
import { costFilterFields, type CostFilters } from './cost-query.ts';

/* The filters of costs as options of commands. */

/** Adds `--team` and so on, each of which may be repeated. */
export function withFilters(command: Command): Command {
  for (const field of costFilterFields) {
    command.option(`--${field} <${field}>`, `only of this ${field}; repeat it for more`, namesOption);
  }
  return command;
}

/** What was given of them, as parameters of a question. */
export function filterParametersOf(options: CostFilters): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    costFilterFields.flatMap((field): (readonly [string, unknown])[] => {
      const values = options[field];
      return values === undefined ? [] : [[field, values]];
    }),
  );
}
