import { z } from 'zod';

/* The answer of GET /v1/calls/{id}/price: the arithmetic of one call. */

const amount = z.string().regex(/^-?\d+(\.\d+)?$/);

const lineSchema = z.object({
  kind: z.string().describe('A class of tokens, a kind inside one, a use of a tool, request or adjustment.'),
  count: z.int().optional().describe('Absent for what is not counted.'),
  usdPerMillion: amount
    .optional()
    .describe('Of tokens: the rate; absent where the present prices are others.'),
  usdPerUse: amount.optional(),
  aboveInputTokens: z.int().optional().describe('The band of the rate: the call has more input than this.'),
  amountUsd: amount.optional().describe('Absent for a use without a known price.'),
});

const recordSchema = z.object({
  id: z.string(),
  kind: z.enum(['call', 'correction']),
  recordedAt: z.string().describe('UTC.'),
  bookedAt: z.string().describe('The time that reports count it at, UTC.'),
  correctedPeriod: z.string().optional().describe('The closed period that it corrects.'),
  costUsd: amount.optional().describe('Of a correction: the difference. Absent where no price was known.'),
  byClass: z.record(z.string(), amount).describe('The same by class; other parts under their names.'),
  priceReference: z.string().optional(),
  operationId: z.string().optional().describe('In the audit.'),
  actor: z.string().optional(),
  reason: z.string().optional(),
  priceBook: z.string().optional(),
});

export const callPriceSchema = z.object({
  id: z.string(),
  team: z.string(),
  provider: z.string(),
  model: z.string().describe('As asked for.'),
  answeredModel: z.string().optional(),
  tier: z.string(),
  requestKind: z.enum(['single', 'batch']),
  geography: z.string().optional().describe('Where it was served, when the provider said so.'),
  sentAt: z.iso.datetime(),
  settlement: z.string(),
  inputTokens: z.int().describe('All input, by which the band is chosen.'),
  price: z
    .object({
      reference: z.string().describe('The rule that made the cost.'),
      catalogue: z.string().optional(),
      isPresent: z.boolean().describe('Whether the present price book gives the same price.'),
      rules: z
        .array(
          z.object({
            kind: z.string(),
            reference: z.string(),
            multiplier: z.string().optional(),
            source: z.string().optional(),
          }),
        )
        .describe('Base, tier, geography and contract, in their order; only of a present price.'),
    })
    .optional()
    .describe('Absent where no price made the cost.'),
  priceBook: z.string().describe('The version of the present price book.'),
  lines: z.array(lineSchema).describe('Count × rate = amount; the amounts add up to costUsd.'),
  costUsd: amount.optional().describe('As recorded, corrections included. Absent where it is not known.'),
  chargedUsd: amount.optional().describe('What the provider said it charged, which is the cost.'),
  listCostUsd: amount.optional().describe('The list price beside it.'),
  upperBoundUsd: amount.optional(),
  presentUsd: amount.optional().describe('What the present prices make of it.'),
  unpricedBecause: z.string().optional().describe('Why the present prices make nothing of it.'),
  records: z
    .array(recordSchema)
    .describe('What the call was recorded with, and every correction, the earliest first.'),
});

export type CallPriceDocument = z.output<typeof callPriceSchema>;
export type CallPriceLine = z.output<typeof lineSchema>;
export type CallPriceRecord = z.output<typeof recordSchema>;
