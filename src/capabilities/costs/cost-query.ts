import { type TimeField, timeFields } from './answer-times.ts';
import { isLabelField, type LabelField } from './label-fields.ts';

/* A question about spend, and the words that it is made of. */

/** What a report can be filtered by, besides labels. `via` is the way by which calls came into the ledger (CallWay). */
export const costFilterFields = [
  'team',
  'customer',
  'feature',
  'batch',
  'pipeline',
  'stage',
  'provider',
  'model',
  'via',
] as const;

/**
 * What a report can be grouped by, besides labels. `waste` is why money bought nothing (failed, aborted, duplicate, invalid output), empty
 * where it did. `hour` is "YYYY-MM-DD hh:00:00" in UTC. `day` ("YYYY-MM-DD"), `week` (ISO 8601, "YYYY-Www") and `month`
 * ("YYYY-MM") are those of the question's time zone.
 */
export const costGroupFields = [...costFilterFields, 'waste', 'day', 'hour', 'week', 'month'] as const;

export type CostFilterField = (typeof costFilterFields)[number];
/** What records are filtered by: of each field, the values that it may have. */
export type CostFilters = Readonly<Partial<Record<CostFilterField | LabelField, readonly string[]>>>;
export type CostGroupField = (typeof costGroupFields)[number] | LabelField;
export type CostOrder = 'cost' | 'calls' | 'tokens' | 'group';

export const maxCostGroups = 10_000;

/**
 * How distinct messages are counted. `estimated`: by a sketch, within some percent where there are many; `exact`: one by one,
 * in the memory that takes; `none`: not at all.
 */
export const messageCounts = ['estimated', 'exact', 'none'] as const;
export type MessageCount = (typeof messageCounts)[number];

/** A question about spend. */
export interface CostQuery {
  /** Groups in the order of the answer's columns; none: only the total. */
  readonly groupBy: readonly CostGroupField[];
  /** First moment (of the call), included. */
  readonly from?: Date;
  /** Last moment, excluded. */
  readonly to?: Date;
  /** Each listed field must have one of its values. */
  readonly filters?: CostFilters;
  /** Default: the most expensive first. */
  readonly order?: { readonly by: CostOrder; readonly direction: 'asc' | 'desc' };
  /** Groups in the answer, 1 to 10,000. */
  readonly limit?: number;
  /** Whose days, weeks and months: an IANA name. Absent: UTC. Another one needs both ends of the period. */
  readonly timeZone?: string;
  /** A period to compare with, without its messages. Groups that have spend in either are in the answer. */
  readonly previous?: { readonly from: Date; readonly to: Date };
  /** Whether messages that completed in the period are counted: only by fields that messages have. */
  readonly hasCompleted?: boolean;
  /** How distinct messages are counted. Absent: exactly where the period has few records, estimated where it has many. */
  readonly messages?: MessageCount;
}

/** What sums are asked of: rollups for all of the period, the records for all of it, or both. */
export const spendSources = ['rollups', 'records', 'both'] as const;
export type SpendSource = (typeof spendSources)[number];

/** Fields that messages have, whichever calls were made for them. */
const messageFields: ReadonlySet<CostGroupField> = new Set([
  'team',
  'customer',
  'feature',
  'batch',
  'pipeline',
  'stage',
  ...timeFields,
]);
/** Whether a field is a time. */
export function isTimeField(field: CostGroupField): field is TimeField {
  return timeFields.some((name) => name === field);
}

/** The fields of a question that messages do not have: for them nobody knows what completed. */
export function fieldsWithoutCompleted({
  groupBy,
  filters = {},
}: Pick<CostQuery, 'groupBy' | 'filters'>): readonly CostGroupField[] {
  const asked = costGroupFields.filter(
    (field) =>
      groupBy.includes(field) ||
      costFilterFields.some((name) => name === field && filters[name] !== undefined),
  );
  const labels = new Set([...groupBy, ...Object.keys(filters)].filter(isLabelField));
  return [...asked, ...labels].filter((field) => !messageFields.has(field));
}
