import { z } from 'zod';
import { AppError, type Fault } from '../kernel/app-error.ts';
import type { ReceivedEvent } from './cloud-event.ts';
import { eventFields } from './event-fields.ts';
import { type Origin, parseOrigin } from './origin.ts';

/*
 * Messages in plain JSON, for senders that have no CloudEvents: the fields are named as in code (`millrace.admit`), the
 * origin is an object. Without an id every request is a new message; with one a repeat is a duplicate.
 */

const { text, source, schemaVersion, startAt: startTime, delay: startDelay } = eventFields;

const plainSchema = z.strictObject({
  type: text,
  schemaVersion: schemaVersion.default(1),
  data: z.unknown().optional(),
  // Read by itself: what is wrong with it has an error code of its own.
  origin: z.unknown().optional(),
  id: text.optional(),
  source: source.default('millrace'),
  item: text.optional(),
  lane: text.optional(),
  startAt: startTime.optional(),
  delay: startDelay.optional(),
  traceParent: text.optional(),
});

/**
 * The message in an unknown value, with a new id if it has none. Throws MILLRACE_ORIGIN_INVALID when only the origin is at fault and
 * MILLRACE_REQUEST_INVALID otherwise, with every fault by the name of its field.
 */
export function parsePlainMessage(value: unknown, newId: () => string): ReceivedEvent {
  const parsed = plainSchema.safeParse(value);
  const origin = readOrigin(value);
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue));
    throw invalidMessage('MILLRACE_REQUEST_INVALID', [...faults, ...origin.faults]);
  }
  if (origin.value === undefined) throw invalidMessage('MILLRACE_ORIGIN_INVALID', origin.faults);
  const { id, type, item, lane, startAt, delay, traceParent, data } = parsed.data;
  return {
    id: id ?? newId(),
    source: parsed.data.source,
    type,
    version: parsed.data.schemaVersion,
    origin: origin.value,
    ...(item === undefined ? {} : { item }),
    ...(lane === undefined ? {} : { lane }),
    ...(startAt === undefined ? {} : { startAt }),
    ...(delay === undefined ? {} : { delay }),
    ...(traceParent === undefined ? {} : { traceParent }),
    data,
  };
}

/** The origin of an object, or what is wrong with it. */
function readOrigin(value: unknown): { readonly value?: Origin; readonly faults: readonly Fault[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { faults: [] };
  try {
    return { value: parseOrigin(Reflect.get(value, 'origin')), faults: [] };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { faults: error.faults };
  }
}

function faultsOf(issue: z.core.$ZodIssue): readonly Fault[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField(key));
  return [{ field: issue.path.map(String).join('.') || 'body', problem: issue.message }];
}

function unknownField(name: string): Fault {
  const field = name.slice(0, 64);
  if (name === 'specversion')
    return { field, problem: 'belongs to a CloudEvent: send it as application/cloudevents+json' };
  return { field, problem: `is not a field; the fields are ${Object.keys(plainSchema.shape).join(', ')}` };
}

function invalidMessage(
  code: 'MILLRACE_REQUEST_INVALID' | 'MILLRACE_ORIGIN_INVALID',
  faults: readonly Fault[],
): AppError {
  const told = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  return new AppError(code, `The message is not valid: ${told}`, { faults });
}
