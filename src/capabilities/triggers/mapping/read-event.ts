import type { EventValue, TriggerDefinition } from '../../../engine/pipeline/trigger-definition.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { parseCloudEvent, type ReceivedEvent } from '../../../messages/cloud-event.ts';
import { parseOrigin } from '../../../messages/origin.ts';
import { triggerErrors } from '../trigger-errors.ts';
import type { EventRecord } from '../source/event-source.ts';
import { originAt, placeText, valueAt } from './event-values.ts';

/** What a trigger reads of an event. Its data is not checked, that is for the type's schema. */
export interface ReadEvent extends ReceivedEvent {
  /** What orders it; undefined where the stage says so. */
  readonly orderKey: string | undefined;
}

/** Sources of messages whose events have none of their own. */
const triggerSources = 'millrace:trigger:';

const maxBytes = 4_194_304;
const structuredType = /^application\/cloudevents\+json\b/i;
/** How bindings of CloudEvents to brokers write attributes in headers: Kafka, HTTP, AMQP. */
const attributePrefixes = ['ce_', 'ce-', 'cloudevents:', 'cloudevents_'];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * The message in an event, as its trigger says; the same whenever it is read. Throws MILLRACE_EVENT_UNREADABLE, MILLRACE_REQUEST_INVALID or
 * MILLRACE_ORIGIN_INVALID.
 */
export function readEvent(trigger: TriggerDefinition, record: EventRecord): ReadEvent {
  const event = trigger.form === 'json' ? plainEvent(trigger, record) : cloudEvent(trigger, record);
  const { orderBy } = trigger;
  return {
    ...event,
    orderKey: orderBy === undefined ? undefined : required('orderBy', orderBy, record, event.data),
  };
}

function plainEvent(trigger: TriggerDefinition, record: EventRecord): ReceivedEvent {
  const { message, origin, name, id, item } = trigger;
  const data = jsonOf(record.payload);
  const traceParent = record.headers['traceparent'];
  return {
    id: id === undefined ? positionOf(record) : required('id', id, record, data),
    source: `${triggerSources}${name}`,
    type: message.typeName,
    version: message.version,
    origin: parseOrigin(origin === undefined ? {} : originAt(origin, record, data)),
    ...(item === undefined ? {} : { item: required('item', item, record, data) }),
    ...(traceParent === undefined ? {} : { traceParent }),
    data,
  };
}

function cloudEvent(trigger: TriggerDefinition, record: EventRecord): ReceivedEvent {
  const { message, origin, id, item } = trigger;
  const attributes = attributesOf(record);
  const { data } = attributes;
  const isOwnType = attributes['type'] === message.typeName;
  const event = parseCloudEvent({
    ...attributes,
    type: message.typeName,
    schemaversion: isOwnType ? (attributes['schemaversion'] ?? message.version) : message.version,
    ...(origin === undefined ? {} : originAttributes(originAt(origin, record, data))),
  });
  return {
    ...event,
    ...(id === undefined ? {} : { id: required('id', id, record, data) }),
    ...(item === undefined ? {} : { item: required('item', item, record, data) }),
  };
}

/** A CloudEvent as one object, however it came: its attributes in headers beside the data, or all of it in the payload. */
function attributesOf({ headers, payload }: EventRecord): Readonly<Record<string, unknown>> {
  const prefix = attributePrefixes.find((one) => `${one}specversion` in headers);
  if (prefix !== undefined && !structuredType.test(headers['content-type'] ?? '')) {
    const attributes = Object.entries(headers)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value] as const);
    return { ...Object.fromEntries(attributes), data: payload.length === 0 ? undefined : jsonOf(payload) };
  }
  const event = jsonOf(payload);
  if (typeof event === 'object' && event !== null && !Array.isArray(event))
    return Object.fromEntries(Object.entries(event));
  throw unreadable('it is no CloudEvent: neither its headers nor its payload has the attributes of one');
}

function originAttributes({
  labels,
  ...parts
}: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const named = Object.entries(parts).map(([part, value]) => [`origin${part}`, value] as const);
  return {
    ...Object.fromEntries(named),
    ...(labels === undefined ? {} : { originlabels: JSON.stringify(labels) }),
  };
}

function required(what: string, place: EventValue, record: EventRecord, data: unknown): string {
  const value = valueAt(place, record, data);
  if (value !== undefined && value !== '') return value;
  throw unreadable(`it has no ${what}: ${placeText(place)} is empty or not there`);
}

/** An id that follows from where the event is. */
function positionOf({ partition, position }: EventRecord): string {
  return `${partition}/${position}`;
}

function jsonOf(payload: Buffer): unknown {
  if (payload.length > maxBytes) throw unreadable(`it has ${payload.length} bytes, more than ${maxBytes}`);
  try {
    return JSON.parse(utf8.decode(payload)) as unknown;
  } catch (error) {
    throw unreadable('its payload is not JSON in UTF-8', error);
  }
}

function unreadable(why: string, cause?: unknown): AppError {
  return new AppError(
    triggerErrors.MILLRACE_EVENT_UNREADABLE,
    `No message can be made of the event: ${why}.`,
    cause === undefined ? {} : { cause },
  );
}
