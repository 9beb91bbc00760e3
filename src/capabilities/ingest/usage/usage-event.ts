import { z } from 'zod';
import { isPrintableName, notPrintable } from '../../../kernel/printable-name.ts';
import { eventFields } from '../../../messages/event-fields.ts';
import { type TokenClass, tokenClasses } from '../../../pricing/token-classes.ts';

/* What a usage event tells: one call to a model that somebody else made. */

/** The type of the CloudEvents that tell of usage. */
export const usageEventType = 'millrace.usage';

const name = (max: number) => z.string().min(1).max(max).refine(isPrintableName, notPrintable);

const maxDurationMs = 86_400_000;
const decimalText = /^\d{1,12}(?:\.\d{1,18})?$/;

const tokenCount = z.int('must be a whole number').min(0, 'must be at least 0');
const tokens = z
  .strictObject(
    Object.fromEntries(tokenClasses.map((one) => [one, tokenCount.optional()])) as Record<
      TokenClass,
      z.ZodOptional<typeof tokenCount>
    >,
  )
  .describe('Disjoint counts: a token that was read from a cache is not in uncached_input as well.');

/** The data of a usage event. */
export const usageDataSchema = z
  .strictObject({
    provider: name(128).describe('Who was asked: "openai", "anthropic", "gemini", … as prices are listed.'),
    model: name(256).describe('The model as it was asked for.'),
    answeredModel: name(256).optional().describe('The model as the provider named it in its answer.'),
    operation: z.enum(['chat', 'embeddings']).default('chat'),
    sentAt: z.iso
      .datetime({ offset: true, error: 'must be a time as of RFC 3339, with its offset' })
      .optional()
      .describe('When the call was sent. Default the time of the event.'),
    durationMs: z.number().min(0).max(maxDurationMs).default(0),
    responseId: name(256)
      .optional()
      .describe(
        'The id of the answer, as the provider gave it: a call that is told of twice is counted once.',
      ),
    tier: name(64).default('default').describe('The service tier that served it.'),
    geography: name(64).optional().describe('Where it was served, when the provider says so.'),
    isBatch: z.boolean().default(false).describe("Whether it went through the provider's batch API."),
    outcome: z.enum(['ok', 'error', 'cancelled']).default('ok'),
    errorType: name(128).optional(),
    step: eventFields.text.optional().describe('The place in the program that made it.'),
    usage: z
      .record(z.string().max(128), z.unknown())
      .optional()
      .describe("The provider's own usage block, as it came; preferred to counts of one's own."),
    tokens: tokens.optional(),
    costUsd: z
      .string()
      .regex(decimalText, 'must be an amount of US dollars as text, in decimal digits')
      .optional()
      .describe(
        'What the source thinks it cost. Kept beside the cost that is booked, which follows from the price book.',
      ),
  })
  .refine(({ usage, tokens: counts }) => usage === undefined || counts === undefined, {
    path: ['tokens'],
    error: 'must be left out where there is "usage"',
  });

export type UsageData = z.output<typeof usageDataSchema>;

/** A usage event as it is sent, for the OpenAPI document; its attributes are read like those of every CloudEvent. */
export const usageEventSchema = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: eventFields.text.describe('Names the event together with its source; a repeat is a duplicate.'),
    source: eventFields.source.describe('Who tells it, a URI-reference.'),
    type: z.literal(usageEventType),
    time: z.iso.datetime({ offset: true }).optional(),
    originteam: eventFields.text
      .optional()
      .describe('The team that pays. Default the team of the key, else "unattributed".'),
    origincustomer: eventFields.text
      .optional()
      .describe('On whose behalf. Default what the key says, else "unattributed".'),
    originfeature: eventFields.text
      .optional()
      .describe('The product feature. Default what the key says, else "unattributed".'),
    originbatch: eventFields.text.optional().describe('One run of many items, when the call belongs to one.'),
    originlabels: z.string().optional().describe('Free labels: a JSON object as text, at most 16.'),
    data: usageDataSchema,
  })
  .describe('A CloudEvent 1.0 in structured JSON that tells of one call to a model.');
