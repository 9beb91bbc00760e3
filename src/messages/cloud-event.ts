import { z } from 'zod';
import { AppError, type Fault } from '../kernel/app-error.ts';
import type { Duration } from '../kernel/duration.ts';
import { eventFields } from './event-fields.ts';
import type { Message } from './message.ts';
import { type Origin, parseOrigin } from './origin.ts';

/*
 * Messages as CloudEvents 1.0 in structured JSON. What the specification has no attribute for travels in extension
 * attributes, whose names may hold lower-case letters and digits only:
 *
 *   originteam, origincustomer, originfeature, originbatch   who caused the work
 *   originlabels      its labels, a JSON object as text, because an attribute cannot hold one
 *   schemaversion     version of the data's schema, 1 unless given
 *   item, lane        what is worked on; the share of capacity asked for
 *   startat, delay    when it starts, if later: a time, or how long after it was admitted
 *   traceparent       W3C trace context
 *   rootid, parentid  where a message stands in its tree; written, and not believed when they come from outside
 */

/** A message from outside, checked; its data is not, that is for the type's schema. */
export interface ReceivedEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly time?: Date;
  readonly origin: Origin;
  readonly item?: string;
  readonly lane?: string;
  readonly startAt?: string;
  readonly delay?: Duration;
  readonly traceParent?: string;
  readonly data: unknown;
}

/** A message as a CloudEvents object, ready for JSON. */
export type CloudEvent = Readonly<Record<string, unknown>> & {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
};

const maxAttributes = 64;
const maxLabelsLength = 8_192;

const {
  text,
  uriReference,
  source: outsideSource,
  schemaVersion,
  startAt: startTime,
  delay: startDelay,
} = eventFields;
const jsonMediaType = /^(?:application\/json|[\w.+-]+\/[\w.+-]+\+json)\s*(?:;.*)?$/i;

const labels = z
  .string()
  .max(maxLabelsLength)
  .transform((json, context): unknown => {
    try {
      return JSON.parse(json);
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a JSON object as text' });
      return z.NEVER;
    }
  });

const eventSchema = z.looseObject({
  specversion: z.literal('1.0', 'must be "1.0"'),
  id: text,
  source: outsideSource,
  type: text,
  time: z.iso.datetime({ offset: true, error: 'must be a time as of RFC 3339' }).optional(),
  datacontenttype: z.string().regex(jsonMediaType, 'must be a JSON media type').optional(),
  dataschema: uriReference.optional(),
  subject: text.optional(),
  data: z.unknown().optional(),
  data_base64: z.undefined('is not accepted; send the data as JSON under "data"').optional(),
  originlabels: labels.optional(),
  schemaversion: schemaVersion.optional(),
  item: text.optional(),
  lane: text.optional(),
  startat: startTime.optional(),
  delay: startDelay.optional(),
  traceparent: text.optional(),
});

const attributeName = /^[a-z0-9]{1,64}$/;

/**
 * The event in an unknown value. Throws MILLRACE_ORIGIN_INVALID when only the origin is at fault and
 * MILLRACE_REQUEST_INVALID otherwise, with every fault by the name of its attribute.
 */
export function parseCloudEvent(value: unknown): ReceivedEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidEvent('MILLRACE_REQUEST_INVALID', [{ field: 'event', problem: 'must be a JSON object' }]);
  }
  const parsed = eventSchema.safeParse(value);
  const origin = readOrigin(value);
  const faults = [
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => faultOf(issue))),
    ...attributeFaults(value),
  ];
  if (!parsed.success || faults.length > 0) {
    throw invalidEvent('MILLRACE_REQUEST_INVALID', [...faults, ...origin.faults]);
  }
  if (origin.value === undefined) throw invalidEvent('MILLRACE_ORIGIN_INVALID', origin.faults);
  const { id, source, type, schemaversion, time, item, lane, startat, delay, traceparent, data } =
    parsed.data;
  return {
    id,
    source,
    type,
    version: schemaversion ?? 1,
    ...(time === undefined ? {} : { time: new Date(time) }),
    origin: origin.value,
    ...(item === undefined ? {} : { item }),
    ...(lane === undefined ? {} : { lane }),
    ...(startat === undefined ? {} : { startAt: startat }),
    ...(delay === undefined ? {} : { delay }),
    ...(traceparent === undefined ? {} : { traceParent: traceparent }),
    data,
  };
}

/** The message as others read it. Its id is the one that its sender gave, which with the source names it. */
export function toCloudEvent(message: Message): CloudEvent {
  const { origin, parentId } = message;
  return {
    specversion: '1.0',
    id: message.eventId,
    source: message.source,
    type: message.type,
    time: message.createdAt.toISOString(),
    datacontenttype: 'application/json',
    schemaversion: message.version,
    originteam: origin.team,
    origincustomer: origin.customer,
    originfeature: origin.feature,
    ...(origin.batch === undefined ? {} : { originbatch: origin.batch }),
    ...(origin.labels === undefined ? {} : { originlabels: JSON.stringify(origin.labels) }),
    item: message.item,
    lane: message.lane,
    traceparent: message.traceParent,
    rootid: message.rootId,
    ...(parentId === undefined ? {} : { parentid: parentId }),
    data: message.data,
  };
}

const originAttributes: Readonly<Record<string, string>> = {
  team: 'originteam',
  customer: 'origincustomer',
  feature: 'originfeature',
  batch: 'originbatch',
  labels: 'originlabels',
};

/** The origin in its attributes, or what is wrong with it, by their names. */
function readOrigin(event: object): { readonly value?: Origin; readonly faults: readonly Fault[] } {
  const fields = Object.entries(originAttributes).flatMap(
    ([field, attribute]): (readonly [string, unknown])[] => {
      const value: unknown = Reflect.get(event, attribute);
      if (value === undefined) return [];
      if (field !== 'labels') return [[field, value]];
      const parsed = labels.safeParse(value);
      // What is wrong with the text is a fault of the envelope, which tells it.
      return parsed.success ? [[field, parsed.data]] : [];
    },
  );
  try {
    return { value: parseOrigin(Object.fromEntries(fields)), faults: [] };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { faults: error.faults.map(({ field, problem }) => ({ field: attributeOf(field), problem })) };
  }
}

/** "origin.labels.region" → "originlabels.region" */
function attributeOf(path: string): string {
  const [, field = '', ...rest] = path.split('.');
  return [originAttributes[field] ?? path, ...rest].join('.');
}

/** A name in camel case or with a dash is not an attribute, and would be lost without a word. */
function attributeFaults(event: object): readonly Fault[] {
  const names = Object.keys(event);
  if (names.length > maxAttributes)
    return [{ field: 'event', problem: `has at most ${maxAttributes} attributes` }];
  return names
    .filter((name) => name !== 'data_base64' && !attributeName.test(name))
    .map((name) => ({
      field: name.slice(0, 64),
      problem: 'is not an attribute name: lower-case letters and digits only',
    }));
}

function faultOf(issue: z.core.$ZodIssue): Fault {
  return { field: issue.path.map(String).join('.') || 'event', problem: issue.message };
}

function invalidEvent(
  code: 'MILLRACE_REQUEST_INVALID' | 'MILLRACE_ORIGIN_INVALID',
  faults: readonly Fault[],
): AppError {
  const told = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  return new AppError(code, `The CloudEvent is not valid: ${told}`, { faults });
}
