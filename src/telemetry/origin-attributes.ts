import { type Attributes, type BaggageEntry, type Baggage, propagation } from '@opentelemetry/api';
import type { Origin } from '../messages/origin.ts';
import { millraceAttributes } from './genai-attributes.ts';

/** The parts of an origin that may be shown outside. Labels never are. */
export const originFields = ['team', 'feature', 'batch', 'customer'] as const;

export type OriginField = (typeof originFields)[number];

/** Those parts of the origin that may be seen, as attributes of a span. */
export function originAttributes(origin: Origin, fields: readonly OriginField[]): Attributes {
  const attributes: Attributes = {};
  for (const field of fields) {
    const value = origin[field];
    if (value !== undefined) attributes[millraceAttributes[field]] = value;
  }
  return attributes;
}

/** The same parts under the same names as baggage, which goes along with whatever a handler asks of others. */
export function originBaggage(origin: Origin, fields: readonly OriginField[]): Baggage {
  const entries: Record<string, BaggageEntry> = {};
  for (const field of fields) {
    const value = origin[field];
    if (value !== undefined) entries[millraceAttributes[field]] = { value };
  }
  return propagation.createBaggage(entries);
}
