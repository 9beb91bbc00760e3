import { type CostFilterField, costFilterFields, type CostFilters } from './cost-query.ts';

/** The filters as conditions on the records, in the order of the fields. */
export function filterConditions(filters: CostFilters = {}): string[] {
  return entriesOf(filters).map(([field]) => `${field} IN {${field}_filter:Array(String)}`);
}

/** The parameters of these conditions. */
export function filterParameters(filters: CostFilters = {}): Record<string, string[]> {
  return Object.fromEntries(entriesOf(filters).map(([field, values]) => [`${field}_filter`, [...values]]));
}

/** An empty list is a filter too: nothing has one of no values. */
function entriesOf(filters: CostFilters): (readonly [CostFilterField, readonly string[]])[] {
  return costFilterFields.flatMap((field) => {
    const values = filters[field];
    return values === undefined ? [] : [[field, values] as const];
  });
}
