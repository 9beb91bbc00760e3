import { z } from 'zod';
import type { Fault } from '../../kernel/app-error.ts';
import { filterValue as namedValue } from '../../http/filter-value.ts';
import { invalidRequest } from '../../http/request-faults.ts';
import { type CostFilterField, costFilterFields, type CostFilters } from './cost-query.ts';
import { isLabelField, isWellFormed, maxLabelFields } from './label-fields.ts';

/*
 * What the query strings of all questions about costs have in common: the filters, those by labels among them (`label:region=eu`),
 * and that every fault is found before any is reported.
 */

const maxFilterValues = 200;
const maxFilterLength = 512;

/** One value of a filter. */
export const filterValue = namedValue(maxFilterLength);
const filter = z.preprocess(
  asList,
  z.array(filterValue).max(maxFilterValues, `has at most ${maxFilterValues} values`),
);

/** The schema of every filter, by its field; labels are not in it. */
export const filterParameters = {
  team: filter.optional(),
  customer: filter.optional(),
  feature: filter.optional(),
  batch: filter.optional(),
  pipeline: filter.optional(),
  stage: filter.optional(),
  provider: filter.optional(),
  model: filter.optional(),
  via: filter.optional(),
} satisfies Record<CostFilterField, z.ZodType>;

/** A parameter that may be repeated comes as a list only when it is. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

type FilterValues = Readonly<Partial<Record<CostFilterField, readonly string[] | undefined>>>;

/**
 * The parameters of a query string as a strict schema reads them, and its filters. Throws MILLRACE_REQUEST_INVALID with every
 * fault: a parameter that is not known is one, because a mistyped filter that is ignored shows a wrong sum.
 */
export function readQuestion<Schema extends z.ZodType<FilterValues>>(
  schema: Schema,
  query: unknown,
): { readonly parameters: z.output<Schema>; readonly filters: CostFilters } {
  const entries: readonly (readonly [string, unknown])[] = Object.entries(
    typeof query === 'object' && query !== null ? query : {},
  );
  const labels = entries.filter(([name]) => isLabelField(name));
  const parsed = schema.safeParse(Object.fromEntries(entries.filter(([name]) => !isLabelField(name))));
  const readLabels = labels.map(([name, values]) => [name, filter.safeParse(values)] as const);
  const faults = [
    ...(parsed.success ? [] : queryFaults(parsed.error)),
    ...readLabels.flatMap(([name, read]) =>
      read.success
        ? labelFaults(name)
        : read.error.issues.map(({ message }) => ({ field: name, problem: message })),
    ),
    ...(labels.length > maxLabelFields
      ? [{ field: 'query', problem: `filters by at most ${maxLabelFields} labels` }]
      : []),
  ];
  if (!parsed.success || faults.length > 0) throw invalidRequest(faults);
  const ofFields: FilterValues = parsed.data;
  return {
    parameters: parsed.data,
    filters: Object.fromEntries([
      ...costFilterFields.flatMap((field) => {
        const values = ofFields[field];
        return values === undefined ? [] : [[field, values] as const];
      }),
      ...readLabels.flatMap(([name, read]) => (read.success ? [[name, read.data] as const] : [])),
    ]),
  };
}

/** What a label's field must be. */
const labelForm = 'names a label as in label:region, whose key is lower case: [a-z][a-z0-9_.-]*';

function labelFaults(name: string): Fault[] {
  return isLabelField(name) && isWellFormed(name) ? [] : [{ field: name, problem: labelForm }];
}

/** The faults of a query string, by the names of its parameters. */
export function queryFaults(error: z.ZodError): readonly Fault[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((field) => ({ field, problem: 'is not known' }));
    // The place in a list says nothing to someone who wrote a query string.
    return [{ field: String(issue.path[0] ?? 'query'), problem: issue.message }];
  });
}
