import { costFilterFields, type CostFilters } from './cost-query.ts';
import { isLabelField, labelColumn, labelValueSql } from './label-fields.ts';

/** A filter: what a row has, as SQL, the name of its parameter, and the values that it may have. */
interface Condition {
  readonly value: string;
  readonly parameter: string;
  readonly values: readonly string[];
}

/** The filters as conditions on the records, in the order of the fields, labels last. */
export function filterConditions(filters: CostFilters = {}): string[] {
  return conditionsOf(filters).map(({ value, parameter }) => `${value} IN {${parameter}:Array(String)}`);
}

/** The parameters of these conditions. */
export function filterParameters(filters: CostFilters = {}): Record<string, string[]> {
  return Object.fromEntries(conditionsOf(filters).map(({ parameter, values }) => [parameter, [...values]]));
}

/** An empty list is a filter too: nothing has one of no values. */
function conditionsOf(filters: CostFilters): Condition[] {
  const ofFields = costFilterFields.flatMap((field) => {
    const values = filters[field];
    return values === undefined ? [] : [{ value: field, parameter: `${field}_filter`, values }];
  });
  const ofLabels = Object.keys(filters)
    .filter(isLabelField)
    .toSorted()
    .flatMap((field) => {
      const values = filters[field];
      return values === undefined
        ? []
        : [{ value: labelValueSql(field), parameter: `${labelColumn(field)}_filter`, values }];
    });
  return [...ofFields, ...ofLabels];
}
