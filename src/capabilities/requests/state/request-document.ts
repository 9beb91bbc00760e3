import { z } from 'zod';
import { isPassing } from '../../../engine/passing-failures.ts';
import { formatUsd } from '../../../kernel/money.ts';
import { amountSchema, originDocument, originSchema } from '../../../http/document-parts.ts';
import { disconnectRules, type RequestCost, type RequestError, requestStates } from '../request.ts';
import type { FoundRequest, StandingRequest } from './request-store.ts';

/* Requests as the API and the command line show them. */

const costSchema = z.object({
  usd: amountSchema.describe('What its calls cost so far, or in all: an exact decimal string.'),
  isFinal: z
    .boolean()
    .describe(
      'Whether the request has ended and the exact price of every call is known: nothing is added to it.',
    ),
  calls: z.int(),
  unpricedCalls: z.int().describe('Calls whose cost is not in it because no price is known.'),
  unsettledCalls: z.int().describe('Calls under way, or of unknown outcome.'),
  unsettledUpperBoundUsd: amountSchema.describe(
    'What calls under way, of unknown outcome, or with an estimated usage (an answer that was cut off) can have cost at most.',
  ),
});

const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  stage: z.string().optional().describe('Where it failed.'),
  retryable: z
    .boolean()
    .describe('Whether the same may succeed as a new request, under a new Idempotency-Key.'),
});

const summaryShape = {
  id: z.string(),
  state: z.enum(requestStates),
  pipeline: z.string(),
  type: z.string(),
  version: z.int(),
  origin: originSchema,
  onDisconnect: z.enum(disconnectRules),
  disconnectGraceSeconds: z.number(),
  createdAt: z.iso.datetime(),
  cancelAskedAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  error: errorSchema.optional().describe('Of one that failed or was cancelled.'),
};

const estimateSchema = z.object({
  startSeconds: z
    .number()
    .optional()
    .describe(
      'In how many seconds its first stage may begin, by what waits there and how fast that goes; absent where nobody can say.',
    ),
  costUsd: amountSchema
    .optional()
    .describe(
      'What requests of this team to this pipeline cost on average of late; absent before some have ended.',
    ),
});

export const requestSummarySchema = z.object({
  ...summaryShape,
  cost: costSchema.optional().describe('Of one that has ended.'),
});

export const requestSchema = z.object({
  ...summaryShape,
  stage: z
    .string()
    .optional()
    .describe('Of one that has not ended: where the message is that has come furthest.'),
  openMessages: z.int().describe('Messages of it that have not ended.'),
  cost: costSchema,
  outputs: z
    .int()
    .optional()
    .describe(
      'Of one that is completed: how many outputs its pipeline had. With 1 the result is that output, otherwise the list of all.',
    ),
  result: z.unknown().optional(),
  resultAt: z
    .string()
    .optional()
    .describe(
      'Where the result is read, where it is too large for this answer, or too much of others is being sent.',
    ),
  estimate: estimateSchema.optional().describe('Of one that was just accepted.'),
});

export const requestListSchema = z.object({
  requests: z.array(requestSummarySchema),
  next: z.string().optional().describe('For `after`: where the next page begins; absent on the last.'),
});

export type RequestSummary = z.output<typeof requestSummarySchema>;
export type RequestDocument = z.output<typeof requestSchema>;
export type RequestEstimate = z.output<typeof estimateSchema>;
export type RequestList = z.output<typeof requestListSchema>;

export function summaryDocument(request: StandingRequest): RequestSummary {
  const { cost } = request;
  return { ...commonPart(request), ...(cost === undefined ? {} : { cost: costPart(cost, request) }) };
}

/** What an answer says of a result: the result, or where it is read. */
export type ResultPart = { readonly result: unknown } | { readonly resultAt: string };

/** The document of a request, with what is said of its result where it is completed. */
export function requestDocument(request: FoundRequest, part: ResultPart | undefined): RequestDocument {
  const { stage, outputs } = request;
  return {
    ...commonPart(request),
    ...(stage === undefined ? {} : { stage }),
    openMessages: request.open,
    cost: costPart(request.cost, request),
    ...(outputs === undefined ? {} : { outputs }),
    ...(request.state === 'completed' ? part : {}),
  };
}

function commonPart(request: StandingRequest): Omit<RequestSummary, 'cost'> {
  const { id, state, pipeline, type, version, origin, options, error } = request;
  return {
    id,
    state,
    pipeline,
    type,
    version,
    origin: originDocument(origin),
    onDisconnect: options.onDisconnect,
    disconnectGraceSeconds: options.disconnectGraceMs / 1000,
    createdAt: request.createdAt.toISOString(),
    ...(request.cancelAskedAt === undefined ? {} : { cancelAskedAt: request.cancelAskedAt.toISOString() }),
    ...(request.endedAt === undefined ? {} : { endedAt: request.endedAt.toISOString() }),
    ...(error === undefined ? {} : { error: errorPart(error) }),
  };
}

function errorPart({ code, message, stage }: RequestError): z.output<typeof errorSchema> {
  return { code, message, ...(stage === undefined ? {} : { stage }), retryable: isPassing(code) };
}

function costPart(
  { calls, costUsd, unpriced, unsettled, unsettledUsd }: RequestCost,
  { endedAt }: Pick<StandingRequest, 'endedAt'>,
): z.output<typeof costSchema> {
  return {
    usd: formatUsd(costUsd),
    isFinal: endedAt !== undefined && unpriced === 0 && unsettled === 0 && unsettledUsd.isZero(),
    calls,
    unpricedCalls: unpriced,
    unsettledCalls: unsettled,
    unsettledUpperBoundUsd: formatUsd(unsettledUsd),
  };
}
