import type { EventValue, OriginRule } from '../../../engine/pipeline/trigger-definition.ts';
import type { EventRecord } from '../source/event-source.ts';

/** The text at a place of an event; undefined where there is none. Numbers and booleans are taken as their JSON. */
export function valueAt(place: EventValue, record: EventRecord, data: unknown): string | undefined {
  if (place === 'key') return record.key;
  if ('fixed' in place) return place.fixed;
  if ('header' in place) return ownText(record.headers, place.header.toLowerCase());
  let value = data;
  for (const name of place.payload.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return textOf(value);
}

/** An origin by its rule, not checked. What is not there is left out. */
export function originAt(
  { labels, ...parts }: OriginRule,
  record: EventRecord,
  data: unknown,
): Readonly<Record<string, unknown>> {
  const own = Object.entries(parts).map(([part, place]) => [part, valueAt(place, record, data)] as const);
  const labelled = Object.entries(labels ?? {}).flatMap(([label, place]) => {
    const value = valueAt(place, record, data);
    return value === undefined ? [] : [[label, value] as const];
  });
  return {
    ...Object.fromEntries(own.filter(([, value]) => value !== undefined)),
    ...(labels === undefined ? {} : { labels: Object.fromEntries(labelled) }),
  };
}

/** How a place is named to people. */
export function placeText(place: EventValue): string {
  if (place === 'key') return 'the key';
  if ('header' in place) return `the header "${place.header}"`;
  return 'payload' in place ? `"${place.payload}" of the payload` : 'the trigger';
}

function ownText(values: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
