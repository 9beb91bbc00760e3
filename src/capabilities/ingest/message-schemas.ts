import type { OpenAPIObject } from '@nestjs/swagger';
import { lanes } from '../../engine/pipeline/lane.ts';
import { maxStartAheadDays } from '../../messages/start-time.ts';

/* What messages from outside look like in the OpenAPI document. */

type Schema = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

const text = (description: string) => ({ type: 'string', minLength: 1, description });

const startTime = {
  type: 'string',
  format: 'date-time',
  description: `When it starts, if later: at most ${maxStartAheadDays} days ahead. A time that has passed is at once.`,
};
const startDelay = {
  type: 'string',
  maxLength: 32,
  pattern: String.raw`^\d+(?:\.\d+)?(?:ms|s|m|h|d)$`,
  description: `How long after it was admitted it starts: "90s", "2h", "7d"; at most ${maxStartAheadDays} days. In place of a time.`,
  examples: ['90s'],
};

/** A message in plain JSON. */
export const plainMessageSchema: Schema = {
  type: 'object',
  description: 'A message in plain JSON.',
  required: ['type', 'data', 'origin'],
  properties: {
    type: text('The message type, as a stage consumes it.'),
    schemaVersion: { type: 'integer', minimum: 1, default: 1, description: "Version of the data's schema." },
    data: { description: "The message data, as the type's schema wants it." },
    origin: {
      type: 'object',
      description: 'Who caused the work.',
      required: ['team', 'customer', 'feature'],
      properties: {
        team: text('The team that pays.'),
        customer: text('The customer on whose behalf the work is done.'),
        feature: text('The product feature that asked for it.'),
        batch: text('One run of many items, when the work belongs to one.'),
        labels: { type: 'object', maxProperties: 16, additionalProperties: text('A free label.') },
      },
      additionalProperties: false,
    },
    id: text(
      'Names the message together with its source; a repeat is a duplicate. Default: a new id each time.',
    ),
    source: { ...text('Who sends it, a URI-reference.'), default: 'millrace' },
    item: text('The thing worked on; costs are shown by it.'),
    lane: { type: 'string', enum: [...lanes] },
    startAt: startTime,
    delay: startDelay,
    traceParent: text('W3C trace context to go on with.'),
  },
  additionalProperties: false,
  examples: [
    {
      type: 'document.fetched',
      data: { documentId: 'tides', text: 'The tide rises twice a day.' },
      origin: { team: 'knowledge', customer: 'acme', feature: 'search' },
      id: 'tides',
    },
  ],
};

/** A CloudEvent with the origin in extension attributes. */
export const cloudEventSchema: Schema = {
  type: 'object',
  description: 'CloudEvents 1.0 in structured JSON, with the origin in extension attributes.',
  required: ['specversion', 'id', 'source', 'type', 'originteam', 'origincustomer', 'originfeature'],
  properties: {
    specversion: { type: 'string', enum: ['1.0'] },
    id: text('Names the event together with its source; a repeat is a duplicate.'),
    source: text('Who sends it, a URI-reference.'),
    type: text('The message type, as a stage consumes it.'),
    schemaversion: { type: 'integer', minimum: 1, default: 1, description: "Version of the data's schema." },
    time: { type: 'string', format: 'date-time' },
    datacontenttype: { type: 'string', default: 'application/json' },
    originteam: text('The team that pays.'),
    origincustomer: text('The customer on whose behalf the work is done.'),
    originfeature: text('The product feature that asked for it.'),
    originbatch: text('One run of many items, when the work belongs to one.'),
    originlabels: text('Free labels: a JSON object as text, at most 16.'),
    item: text('The thing worked on; costs are shown by it.'),
    lane: { type: 'string', enum: [...lanes] },
    startat: startTime,
    delay: startDelay,
    traceparent: text('W3C trace context to go on with.'),
    data: { description: "The message data, as the type's schema wants it." },
  },
  additionalProperties: true,
};
