import { z } from 'zod';
import { amountSchema, ratioSchema, savingsShape, tokensSchema } from '../../../http/document-parts.ts';
import { tokenClasses } from '../../../pricing/token-classes.ts';
import { qualityResultSchema } from '../batch-document.ts';
import { batchModes } from '../batch-settings.ts';
import { batchStates, itemEnds, itemStates } from '../batch.ts';

/* The answer of GET /v1/batches/{id}/report. Amounts are exact US dollars, ratios have six digits. */

const share = ratioSchema.optional();
const milliseconds = z.int().optional();

const callFigures = {
  calls: z.int(),
  costUsd: amountSchema,
  share: share.describe('costUsd by the total.'),
};

/** What a report says of another batch, and of this one beside it. */
const comparedSchema = z.object({
  items: z.int(),
  succeeded: z.int(),
  seconds: z.number().optional().describe('From its start to its end.'),
  calls: z.int(),
  costUsd: amountSchema,
  costPerSucceededUsd: amountSchema.optional(),
  wasteShare: ratioSchema.optional(),
  cacheHitRate: ratioSchema.optional(),
});

export const batchReportSchema = z.object({
  batch: z.object({
    id: z.uuid(),
    name: z.string(),
    team: z.string(),
    customer: z.string(),
    feature: z.string(),
    pipeline: z.string(),
    type: z.string(),
    version: z.int(),
    mode: z.enum(batchModes),
    state: z.enum(batchStates),
    cause: z
      .object({ code: z.string(), detail: z.string() })
      .optional()
      .describe('Why it is halted, or ended as it did.'),
    quality: qualityResultSchema.optional().describe('How its output was judged.'),
    deadline: z.iso.datetime().optional(),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().optional(),
    endedAt: z.iso.datetime().optional(),
  }),
  asOf: z.iso.datetime().describe('When the figures were read.'),
  isFinal: z.boolean().describe('Whether the batch is over. Otherwise this is the report so far.'),
  isComplete: z
    .boolean()
    .describe(
      'Whether the ledger still has the messages of every item that ended. What the retention time took is in no figure but the counts of items.',
    ),
  goneItems: z.int().describe('Items whose messages the ledger no longer has.'),
  currency: z.literal('USD'),
  items: z.object({
    total: z.int(),
    waiting: z.int(),
    running: z.int(),
    succeeded: z.int(),
    failed: z.int(),
    expired: z.int(),
    cancelled: z.int(),
    skipped: z.int(),
    retried: z.int().describe('Items of which a message ran more than once.'),
    successShare: share.describe('Succeeded by all items of the input.'),
  }),
  reasons: z
    .array(
      z.object({
        end: z.enum(itemEnds).exclude(['succeeded']),
        code: z.string().describe('The error. Empty: none was recorded.'),
        items: z.int(),
      }),
    )
    .describe('Why items did not succeed, the most frequent first.'),
  otherReasons: z.int().describe('Items that ended for reasons beyond those.'),
  failedItems: z
    .string()
    .describe('Where the items that did not succeed can be had, ready to be resubmitted.'),
  time: z.object({
    seconds: z.number().optional().describe('From the start of the batch to its end, or to now.'),
    stages: z.array(
      z.object({
        stage: z.string(),
        messages: z.int(),
        ended: z.int(),
        retried: z.int().describe('Messages that ran more than once.'),
        p50Ms: milliseconds.describe(
          'Of the last runs of messages that ended, from their lease to their end.',
        ),
        p95Ms: milliseconds,
        maxMs: milliseconds,
        firstStartAt: z.iso.datetime().optional(),
        lastEndAt: z.iso.datetime().optional(),
        seconds: z.number().optional().describe('From the first start to the last end.'),
      }),
    ),
  }),
  tokens: z.object({
    byClass: z.record(z.enum(tokenClasses), tokensSchema).describe('The classes are disjoint.'),
    input: tokensSchema,
    output: tokensSchema,
    cacheHitRate: ratioSchema.optional().describe('Input tokens read from a cache by all input tokens.'),
  }),
  cost: z.object({
    totalUsd: amountSchema.describe('What all calls of the batch cost, waste among it.'),
    calls: z.int(),
    failedCalls: z.int(),
    wasteUsd: amountSchema.describe('The part of it that bought nothing.'),
    wasteShare: share,
    unpricedCalls: z
      .int()
      .describe('Calls without a known price: they are in no amount, and cost more than nothing.'),
    estimatedCalls: z
      .int()
      .describe('Calls whose usage the provider did not report: they are in as estimated.'),
    unsettledCalls: z.int().describe('Calls whose outcome is not known: they are in no amount.'),
    openCalls: z.int().describe('Calls under way.'),
    openUpperBoundUsd: amountSchema.describe('What the calls without an amount can have cost at most.'),
    perSucceededUsd: amountSchema.optional().describe('totalUsd by the items that succeeded.'),
    perItem: z.object({
      items: z.int().describe('Items that have a message: the others cost nothing.'),
      meanUsd: amountSchema.optional(),
      p50Usd: amountSchema.optional(),
      p95Usd: amountSchema.optional(),
      maxUsd: amountSchema.optional(),
    }),
    models: z.array(
      z.object({
        provider: z.string(),
        model: z.string(),
        tier: z.string().describe('default for the standard tier, batch for batches of the provider.'),
        ...callFigures,
        inputTokens: tokensSchema,
        outputTokens: tokensSchema,
      }),
    ),
    stages: z.array(z.object({ stage: z.string(), ...callFigures })),
    otherUsd: amountSchema.describe('What kinds of calls beyond those that are told apart cost.'),
  }),
  waste: z
    .array(
      z.object({
        cause: z.string().describe('failed, aborted, duplicate, retried or invalid_output.'),
        ...callFigures,
      }),
    )
    .describe('By its cause.'),
  savings: z.object({
    ...savingsShape,
    sharing: z
      .object({
        answers: z.int().describe('Answers that items were given without a call of their own.'),
        savedUsd: amountSchema.describe('What the calls cost that brought them, once for each answer.'),
        unvalued: z.int().describe('Of the answers, those whose call has no price.'),
      })
      .describe('Identical requests of items, answered once.'),
    unknown: z
      .array(z.enum(['reused_answers']))
      .describe('What nothing tells: answers that were used again by their own message.'),
  }),
  concentration: z.object({
    gini: ratioSchema
      .optional()
      .describe('0: every item costs the same; towards 1: one item costs nearly all.'),
    topTenthShare: share.describe('What the most expensive tenth of the items makes of the whole.'),
    tenths: z
      .array(z.object({ tenth: z.int(), items: z.int(), costUsd: amountSchema, share }))
      .describe('The most expensive tenth comes first.'),
    outliers: z
      .array(
        z.object({
          position: z.int(),
          itemId: z.string(),
          messageId: z.uuid(),
          state: z.enum(itemStates),
          calls: z.int(),
          costUsd: amountSchema,
          share,
          timesMedian: ratioSchema.optional().describe('costUsd by that of the median item.'),
        }),
      )
      .describe('The most expensive items of the most expensive tenth.'),
  }),
  previous: z
    .object({
      batch: z.object({
        id: z.uuid(),
        name: z.string(),
        state: z.enum(batchStates),
        startedAt: z.iso.datetime().optional(),
        endedAt: z.iso.datetime().optional(),
      }),
      isComplete: z.boolean(),
      figures: comparedSchema,
      present: comparedSchema.describe('The same of this batch.'),
      costPerSucceededChange: ratioSchema
        .optional()
        .describe('How much more an item that succeeded cost, by what it cost then.'),
    })
    .optional()
    .describe('The batch of the same team and pipeline before this one. Absent: there is none that is over.'),
});

export type BatchReportDocument = z.output<typeof batchReportSchema>;
export type ComparedFigures = z.output<typeof comparedSchema>;
