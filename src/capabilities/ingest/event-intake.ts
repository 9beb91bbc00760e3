import { z } from 'zod';
import { type ApiKeyIdentity, assertTeamAllowed } from '../../http/api-key-identity.ts';
import { AppError } from '../../kernel/app-error.ts';
import { systemClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { parseCloudEvent, type ReceivedEvent } from '../../messages/cloud-event.ts';
import { parsePlainMessage } from '../../messages/plain-message.ts';
import type { Admissions } from '../../engine/pipeline/admissions.ts';
import { type Lane, lanes } from '../../engine/pipeline/lane.ts';

/*
 * Messages from outside on their way into the pipeline, as CloudEvents or in plain JSON. An event is admitted completely or not at all: everything
 * about it is checked before the first row is written. Events of one request stand alone; a repeat with the same
 * source and id changes nothing, so a request whose answer got lost can simply be made again.
 */

export const eventReceiptSchema = z.object({
  source: z.string(),
  id: z.string().describe('The id of the event, as it was sent.'),
  outcome: z.enum(['admitted', 'duplicate']),
  messageIds: z.array(z.string()).describe('One for each stage that consumes the event.'),
});

export type EventReceipt = z.output<typeof eventReceiptSchema>;

/** How one message is written in a body. */
export type BodyForm = 'cloud_event' | 'plain';

const forms = {
  cloud_event: { noun: 'CloudEvent', parse: parseCloudEvent, versionField: 'schemaversion' },
  plain: {
    noun: 'message',
    parse: (value: unknown) => parsePlainMessage(value, () => newId(systemClock.now())),
    versionField: 'schemaVersion',
  },
} as const;

const laneSchema = z.enum(lanes).optional();

export class EventIntake {
  readonly #admissions: Pick<Admissions, 'admitUnchecked' | 'checkData'>;

  constructor(admissions: Pick<Admissions, 'admitUnchecked' | 'checkData'>) {
    this.#admissions = admissions;
  }

  /**
   * Admits one event for the caller; durable when it resolves. Throws MILLRACE_REQUEST_INVALID, MILLRACE_FORBIDDEN
   * for an origin of another team than the caller's, and what Admissions throws.
   */
  async admit(value: unknown, caller: ApiKeyIdentity, form: BodyForm = 'cloud_event'): Promise<EventReceipt> {
    const { event, lane } = this.#read(value, form);
    assertTeamAllowed(caller, event.origin.team);
    const { outcome, messageIds } = await this.#admissions.admitUnchecked(
      { typeName: event.type, version: event.version, data: event.data },
      {
        origin: event.origin,
        id: event.id,
        source: event.source,
        ...(event.item === undefined ? {} : { item: event.item }),
        ...(lane === undefined ? {} : { lane }),
        ...(event.startAt === undefined ? {} : { startAt: event.startAt }),
        ...(event.delay === undefined ? {} : { delay: event.delay }),
        ...(event.traceParent === undefined ? {} : { traceParent: event.traceParent }),
      },
    );
    return { source: event.source, id: event.id, outcome, messageIds: [...messageIds] };
  }

  /** The event, or all that is wrong with it at once: envelope, lane and data. */
  #read(value: unknown, form: BodyForm): { readonly event: ReceivedEvent; readonly lane: Lane | undefined } {
    const { noun, parse, versionField } = forms[form];
    const event = attempt(() => parse(value));
    const lane = attempt(() => laneOf(value, noun));
    if ('value' in event && 'value' in lane) return { event: event.value, lane: lane.value };
    const sent = sentOf(value, versionField);
    const data = sent === undefined ? undefined : attempt(() => this.#admissions.checkData(sent));
    const errors = [event, lane, data].flatMap((one) =>
      one !== undefined && 'error' in one ? [one.error] : [],
    );
    const [first, ...others] = errors;
    invariant(first !== undefined, 'what cannot be read has a fault');
    throw together([first, ...others], noun);
  }
}

function laneOf(value: unknown, noun: string): Lane | undefined {
  const given: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'lane') : undefined;
  const lane = laneSchema.safeParse(given);
  if (lane.success) return lane.data;
  const problem = `must be any of ${lanes.join(', ')}`;
  throw new AppError('MILLRACE_REQUEST_INVALID', `The ${noun} is not valid: lane: ${problem}`, {
    faults: [{ field: 'lane', problem }],
  });
}

/** The type and data of an event whose envelope may be at fault, as far as they can be read. */
function sentOf(value: unknown, versionField: string) {
  if (typeof value !== 'object' || value === null) return undefined;
  const typeName: unknown = Reflect.get(value, 'type');
  const version: unknown = Reflect.get(value, versionField);
  const data: unknown = Reflect.get(value, 'data');
  return sentSchema.safeParse({ typeName, version, data }).data;
}

const sentSchema = z.object({
  typeName: z.string(),
  version: z.coerce.number().int().default(1),
  data: z.unknown(),
});

type Attempt<Value> = { readonly value: Value } | { readonly error: AppError };

function attempt<Value>(read: () => Value): Attempt<Value> {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof AppError) return { error };
    throw error;
  }
}

/** One refusal that lists the faults of all, each field once, under the first one's code. */
function together([first, ...others]: readonly [AppError, ...(readonly AppError[])], noun: string): AppError {
  if (others.length === 0) return first;
  const faults = [first, ...others].flatMap((error) =>
    error.faults.length > 0 ? error.faults : [{ field: 'type', problem: error.message }],
  );
  const distinct = [...new Map(faults.map((fault) => [fault.field, fault])).values()];
  const told = distinct.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  return new AppError(first.declared, `The ${noun} is not valid: ${told}`, { faults: distinct });
}
