import { z } from 'zod';
import { isTimeZone, startOfDay } from '../../kernel/time-zone.ts';
import { isReportable, reportableYears } from '../../kernel/reportable-time.ts';
import {
  type CostFilters,
  type CostGroupField,
  costGroupFields,
  isTimeField,
  type CostOrder,
  maxCostGroups,
  type MessageCount,
  messageCounts,
} from './cost-query.ts';
import { isLabelField, isWellFormed, maxLabelFields } from './label-fields.ts';
import { asList, filterParameters, readQuestion } from './question-parameters.ts';
import { invalidRequest } from '../../http/request-faults.ts';

/*
 * The query string of GET /v1/costs as a question.
 */

/** What is asked for, complete: defaults are filled in. */
export interface CostReportRequest {
  readonly from: Date;
  readonly to: Date;
  readonly groupBy: readonly CostGroupField[];
  readonly filters: CostFilters;
  readonly order: { readonly by: CostOrder; readonly direction: 'asc' | 'desc' };
  readonly limit: number;
  /** Whether the period is named and over, so that the same question has the same answer until records change. */
  readonly isClosed?: boolean;
  /** Whether with the previous period. */
  readonly isCompared?: boolean;
  /** Whether messages that completed are counted, where the question allows it. */
  readonly hasCompleted?: boolean;
  /** Whose days, weeks and months: an IANA name. Absent: UTC. */
  readonly timeZone?: string;
  /** Absent: as the size of the period allows. */
  readonly messages?: MessageCount;
}

/** The values of `order`: what to sort by, with a minus for the greatest first. */
export const costOrders = ['cost', '-cost', 'calls', '-calls', 'tokens', '-tokens', 'key', '-key'] as const;

export const defaultPeriodDays = 30;
const defaultLimit = 1_000;
const dayMs = 86_400_000;
/** The longest period of a report, and of one by the hour. */
const maxPeriodDays = 3_660;
const maxHourlyDays = 400;

/** A parameter that is given once. */
export const once = z.string({ error: 'is given once' });

/** The text of a moment: a date, or a time with its zone. */
const momentText = once
  .refine((text) => z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(text).success, {
    error: 'is a date ("2026-03-01") or a time with its zone ("2026-03-01T12:00:00Z", a "+" written as %2B)',
    abort: true,
  })
  .refine((text) => isReportable(new Date(text)), reportableYears);

/** A moment, as a date (midnight UTC) or as a time with its zone. */
export const moment = momentText.transform((text) => new Date(text));

/** The name of a time zone. */
export const timeZone = once.refine(isTimeZone, 'is the name of a time zone ("Europe/Berlin", "UTC")');

const groupBy = z
  .preprocess(
    (value) =>
      asList(value).flatMap((part) =>
        typeof part === 'string' ? part.split(',').map((name) => name.trim()) : [part],
      ),
    z.array(
      z.custom<CostGroupField>(
        isGroupField,
        `is any of ${costGroupFields.join(', ')}, or a label (label:region)`,
      ),
    ),
  )
  .refine((fields) => new Set(fields).size === fields.length, 'names no field twice')
  .refine(
    (fields) => fields.filter(isLabelField).length <= maxLabelFields,
    `names at most ${maxLabelFields} labels`,
  );

const limit = once
  .regex(/^\d{1,6}$/, { error: `is a whole number from 1 to ${maxCostGroups}`, abort: true })
  .transform(Number)
  .refine((count) => count >= 1 && count <= maxCostGroups, `is a whole number from 1 to ${maxCostGroups}`);

/** A choice between "true" and "false". */
export const yesOrNo = once
  .pipe(z.enum(['true', 'false'], { error: 'is true or false' }))
  .transform((text) => text === 'true');

/** The schema of a period in a time zone. */
export const periodParameters = {
  from: momentText.optional(),
  to: momentText.optional(),
  timezone: timeZone.optional(),
};

const parametersSchema = z.strictObject({
  ...periodParameters,
  group_by: groupBy.optional(),
  order: once.pipe(z.enum(costOrders, { error: `is any of ${costOrders.join(', ')}` })).optional(),
  limit: limit.optional(),
  compare: once.pipe(z.literal('previous', { error: 'is previous' })).optional(),
  completed: yesOrNo.optional(),
  messages: once.pipe(z.enum(messageCounts, { error: `is any of ${messageCounts.join(', ')}` })).optional(),
  ...filterParameters,
});

/** What holds where a question says nothing of it. */
export interface CostParameterDefaults {
  readonly timeZone: string;
}

/** The question in a parsed query string. Throws MILLRACE_REQUEST_INVALID with every fault. */
export function parseCostParameters(
  query: unknown,
  now: Date,
  defaults: CostParameterDefaults = { timeZone: 'UTC' },
): CostReportRequest {
  const { parameters, filters } = readQuestion(parametersSchema, query);
  const fields = parameters.group_by ?? [];
  const maxDays = fields.includes('hour') ? maxHourlyDays : maxPeriodDays;
  const { from, to, timeZone: zone } = periodOf(parameters, { now, defaults, maxDays });
  if (parameters.compare !== undefined && fields.some(isTimeField)) {
    const problem = 'is for groups that both periods can have: not with day, hour, week or month in group_by';
    throw invalidRequest([{ field: 'compare', problem }]);
  }
  return {
    from,
    to,
    timeZone: zone,
    isClosed: parameters.to !== undefined && to <= now,
    isCompared: parameters.compare !== undefined,
    hasCompleted: parameters.completed ?? false,
    groupBy: fields,
    filters,
    order: orderOf(parameters.order ?? '-cost'),
    limit: parameters.limit ?? defaultLimit,
    ...(parameters.messages === undefined ? {} : { messages: parameters.messages }),
  };
}

/** A period as it is asked for: 30 days to now without either end. Throws MILLRACE_REQUEST_INVALID. */
export function periodOf(
  parameters: Readonly<Partial<Record<'from' | 'to' | 'timezone', string | undefined>>>,
  {
    now,
    defaults,
    maxDays = maxPeriodDays,
  }: { readonly now: Date; readonly defaults: CostParameterDefaults; readonly maxDays?: number },
): { readonly from: Date; readonly to: Date; readonly timeZone: string } {
  const zone = parameters.timezone ?? defaults.timeZone;
  const to = parameters.to === undefined ? now : momentIn(zone, parameters.to);
  const from =
    parameters.from === undefined
      ? new Date(to.getTime() - defaultPeriodDays * dayMs)
      : momentIn(zone, parameters.from);
  assertPeriod(from, to, maxDays);
  return { from, to, timeZone: zone };
}

/** A moment by its text: a date is its first moment in the zone. */
function momentIn(zone: string, text: string): Date {
  return new Date(z.iso.date().safeParse(text).success ? startOfDay(zone, text) : Date.parse(text));
}

function assertPeriod(from: Date, to: Date, maxDays: number): void {
  if (from >= to) {
    const problem = `lies before the end of the period, ${to.toISOString()}`;
    throw invalidRequest([{ field: 'from', problem }]);
  }
  if (to.getTime() - from.getTime() > maxDays * dayMs) {
    const problem = `lies at most ${maxDays} days before the end of the period${maxDays === maxHourlyDays ? ' in a report by the hour' : ''}`;
    throw invalidRequest([{ field: 'from', problem }]);
  }
}

/** Whether a text names what a report can be grouped by. */
function isGroupField(field: unknown): field is CostGroupField {
  if (typeof field !== 'string') return false;
  return costGroupFields.some((name) => name === field) || (isLabelField(field) && isWellFormed(field));
}

function orderOf(text: (typeof costOrders)[number]): CostReportRequest['order'] {
  const direction = text.startsWith('-') ? 'desc' : 'asc';
  switch (text) {
    case 'cost':
    case '-cost':
      return { by: 'cost', direction };
    case 'calls':
    case '-calls':
      return { by: 'calls', direction };
    case 'tokens':
    case '-tokens':
      return { by: 'tokens', direction };
    case 'key':
    case '-key':
      return { by: 'group', direction };
  }
}
