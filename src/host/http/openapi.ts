import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { budgetReportSchema } from '../../capabilities/budgets/budget-reports.ts';
import { costReportSchema } from '../../capabilities/costs/cost-report-document.ts';
import {
  keyListSchema,
  keyRequestSchema,
  newKeySchema,
  revokedKeySchema,
} from '../../capabilities/access/key-administration.ts';
import {
  erasureRequestSchema,
  erasureSchema,
  requestedErasureSchema,
} from '../../capabilities/erasure/erasure-documents.ts';
import { messageAccountSchema } from '../../capabilities/message-operations/message-accounts.ts';
import {
  deadLetterListSchema,
  deadLetterSchema,
  discardResultSchema,
  replayResultSchema,
} from '../../capabilities/dead-letters/dead-letter-documents.ts';
import {
  discardRequestSchema,
  replayRequestSchema,
} from '../../capabilities/dead-letters/dead-letter-requests.ts';
import {
  holdListSchema,
  liftedHoldSchema,
  placedHoldSchema,
} from '../../capabilities/pauses/hold-documents.ts';
import { placeHoldSchema } from '../../capabilities/pauses/hold-requests.ts';
import {
  messageDataSchema,
  messageListSchema,
  messageTreeSchema,
  steeredSchema,
} from '../../capabilities/message-operations/message-documents.ts';
import {
  correctionReportSchema,
  correctionRequestSchema,
} from '../../capabilities/corrections/correction-requests.ts';
import { steerRequestSchema } from '../../capabilities/message-operations/message-requests.ts';
import { lanes } from '../../engine/pipeline/lane.ts';
import { statusSchema } from '../status-document.ts';
import { eventReceiptSchema } from '../../capabilities/ingest/event-intake.ts';
import {
  batchMediaType,
  batchReceiptSchema,
  eventMediaType,
  plainMediaType,
} from '../../capabilities/ingest/messages.controller.ts';
import { problemMediaType, problemSchema } from '../../http/problem.ts';
import { readinessSchema } from './readiness.ts';

/*
 * The OpenAPI 3.1 document. Routes come from the controllers, schemas from the very Zod schemas that answers are typed
 * by, and what holds for every route (problem documents, the API key, the request id) is added here, once.
 */

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;

const methods = ['get', 'put', 'post', 'delete', 'patch'] as const;

/** Serves the document at /openapi.json and a page at /docs that needs nothing from elsewhere. */
export function serveOpenApi(app: INestApplication, version: string): void {
  SwaggerModule.setup('docs', app, () => buildOpenApi(app, version), {
    jsonDocumentUrl: '/openapi.json',
    raw: ['json'],
    customSiteTitle: 'Millrace API',
    swaggerOptions: { validatorUrl: null, persistAuthorization: false },
  });
}

/** The document of the application's routes. */
function buildOpenApi(app: INestApplication, version: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Millrace')
    .setDescription(
      'Admit work for models, follow it, and see what it cost and for whom. Amounts are exact decimal strings in US ' +
        'dollars. Errors are RFC 9457 problem documents with a code; every answer carries an x-request-id.',
    )
    .setVersion(version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key: mr_…' })
    .build();
  const document = SwaggerModule.createDocument(app, config);
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, ...schemas() },
    responses: { Problem: problemResponse },
  };
  for (const [path, item] of Object.entries(document.paths)) {
    for (const operation of methods.flatMap((method) => item[method] ?? [])) complete(path, operation);
  }
  return document;
}

const problemResponse = {
  description: 'A problem document; docs/errors.md lists the codes.',
  headers: {
    'retry-after': { description: 'Seconds to wait, where waiting helps.', schema: { type: 'integer' } },
  },
  content: { [problemMediaType]: { schema: { $ref: '#/components/schemas/Problem' } } },
};

function complete(path: string, operation: Operation): void {
  const problem = { $ref: '#/components/responses/Problem' };
  if (!path.startsWith('/v1/')) return;
  Object.assign(operation.responses, { '400': problem, '401': problem, '403': problem, default: problem });
  const { requestBody } = operation;
  if (operation.operationId !== 'admitMessages' || requestBody === undefined || '$ref' in requestBody) return;
  requestBody.content = {
    [plainMediaType]: { schema: { $ref: '#/components/schemas/PlainMessage' } },
    [eventMediaType]: { schema: { $ref: '#/components/schemas/CloudEvent' } },
    [batchMediaType]: {
      schema: { type: 'array', maxItems: 1000, items: { $ref: '#/components/schemas/CloudEvent' } },
    },
  };
}

function schemas(): Schemas {
  const registry = z.registry<{ readonly id: string }>();
  registry.add(costReportSchema, { id: 'CostReport' });
  registry.add(budgetReportSchema, { id: 'BudgetReport' });
  registry.add(messageAccountSchema, { id: 'MessageAccount' });
  registry.add(eventReceiptSchema, { id: 'EventReceipt' });
  registry.add(batchReceiptSchema, { id: 'BatchReceipt' });
  registry.add(deadLetterListSchema, { id: 'DeadLetterList' });
  registry.add(deadLetterSchema, { id: 'DeadLetter' });
  registry.add(replayResultSchema, { id: 'DeadLetterReplayResult' });
  registry.add(discardResultSchema, { id: 'DeadLetterDiscardResult' });
  registry.add(holdListSchema, { id: 'HoldList' });
  registry.add(placedHoldSchema, { id: 'PlacedHold' });
  registry.add(liftedHoldSchema, { id: 'LiftedHold' });
  registry.add(messageListSchema, { id: 'MessageList' });
  registry.add(messageTreeSchema, { id: 'MessageTree' });
  registry.add(messageDataSchema, { id: 'MessageData' });
  registry.add(steeredSchema, { id: 'SteeredMessages' });
  registry.add(correctionReportSchema, { id: 'CorrectionReport' });
  registry.add(erasureSchema, { id: 'Erasure' });
  registry.add(requestedErasureSchema, { id: 'RequestedErasure' });
  registry.add(statusSchema, { id: 'Status' });
  registry.add(newKeySchema, { id: 'NewKey' });
  registry.add(keyListSchema, { id: 'KeyList' });
  registry.add(revokedKeySchema, { id: 'RevokedKey' });
  registry.add(problemSchema, { id: 'Problem' });
  registry.add(readinessSchema, { id: 'Readiness' });
  const converted = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  const entries = Object.entries(converted.schemas).map(([name, schema]) => [name, withoutIdentity(schema)]);
  const requests = [
    ['DeadLetterReplayRequest', replayRequestSchema],
    ['DeadLetterDiscardRequest', discardRequestSchema],
    ['HoldRequest', placeHoldSchema],
    ['SteerRequest', steerRequestSchema],
    ['CorrectionRequest', correctionRequestSchema],
    ['ErasureRequest', erasureRequestSchema],
    ['KeyRequest', keyRequestSchema],
  ] as const;
  // What comes in is described as it is sent, before it is read into dates and defaults.
  const sent = requests.map(([name, schema]) => [
    name,
    withoutIdentity(z.toJSONSchema(schema, { io: 'input' })),
  ]);
  // OpenAPI 3.1's schemas are JSON Schema; the two packages type the same thing apart.
  return {
    ...(Object.fromEntries([...entries, ...sent]) as Schemas),
    CloudEvent: cloudEventSchema,
    PlainMessage: plainMessageSchema,
  };
}

/** The document says once which dialect its schemas are in, and where they lie. */
function withoutIdentity(schema: object): object {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema' && name !== '$id'));
}

const text = (description: string) => ({ type: 'string', minLength: 1, description });

const plainMessageSchema: Schemas[string] = {
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

const cloudEventSchema: Schemas[string] = {
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
    traceparent: text('W3C trace context to go on with.'),
    data: { description: "The message data, as the type's schema wants it." },
  },
  additionalProperties: true,
};
