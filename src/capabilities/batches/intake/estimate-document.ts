import { z } from 'zod';
import { amountSchema } from '../../../http/document-parts.ts';
import { formatUsd, type Usd } from '../../../kernel/money.ts';
import type { QuotaRoom } from '../../../engine/ledger/quota-rooms.ts';
import { capActions } from '../caps/cap-settings.ts';
import { type CostForecast, pricedModes, type Spread } from './cost-forecast.ts';

const spreadOf = <Value extends z.ZodType>(value: Value) =>
  z.object({
    p50: value.describe('Half of the cases stay below.'),
    p90: value.describe('Nine of ten cases stay below.'),
  });
const amounts = spreadOf(amountSchema);
const counts = spreadOf(z.int());

/** What a batch is expected to cost. */
export const batchEstimateSchema = z.object({
  items: z.int().describe('That would be run.'),
  inputTokens: z.int().describe("Of the items' data, by its characters."),
  inputBytes: z.int(),
  basis: z
    .enum(['history', 'none'])
    .describe('What is known of what such messages cost: those of late, or nothing.'),
  sample: z
    .object({
      messages: z.int(),
      averageBytes: z.int().describe('Of their data.'),
      averageBytesOfItems: z
        .int()
        .describe("Of the batch's items: costs are scaled by items, not by their size."),
    })
    .optional(),
  modes: z.array(
    z.object({
      mode: z.enum(pricedModes),
      totalUsd: amounts.optional().describe('Absent where a model has no price in this mode.'),
      itemUsd: amounts.optional(),
      unpriced: z.array(z.string()).describe('Models without a price in this mode.'),
    }),
  ),
  models: z.array(
    z.object({
      model: z.string(),
      callsPerItem: z.number(),
      inputTokens: counts,
      outputTokens: counts,
      costUsd: z.object({
        online: amounts.optional(),
        flex: amounts.optional(),
        provider: amounts.optional(),
      }),
    }),
  ),
  upperBounds: z
    .array(z.object({ model: z.string(), totalUsd: amountSchema.optional() }))
    .optional()
    .describe(
      "Without any history: what one call of each of the pipeline's models an item can cost at most, by the models' longest answers.",
    ),
  budgets: z.array(
    z.object({
      name: z.string(),
      unit: z.enum(['usd', 'tokens']),
      limit: amountSchema,
      left: amountSchema.describe('In the present window, less what is reserved.'),
      atLimit: z.string(),
      model: z.string().optional().describe('Where it is about one model only.'),
      windowEndsAt: z.string(),
      fits: z
        .boolean()
        .optional()
        .describe('Whether the p90 of the mode has room in it; absent where that is not known.'),
    }),
  ),
  caps: z
    .object({
      action: z.enum(capActions),
      boundTokens: z.int(),
      items: z.int().describe('Larger than that.'),
      tokensBefore: z.int().describe('Estimated, of these.'),
      tokensAfter: z.int().describe('Of these, what is sent.'),
      savedUsd: amountSchema
        .optional()
        .describe("In the batch's mode, if what an item costs went with its tokens; absent without history."),
    })
    .optional()
    .describe('What the rule for large items comes to.'),
  notes: z.array(z.string()).describe('What the figures leave out.'),
});

export type BatchEstimate = z.output<typeof batchEstimateSchema>;

export function forecastParts({ modes, models }: CostForecast): Pick<BatchEstimate, 'modes' | 'models'> {
  return {
    modes: modes.map(({ mode, total, item, unpriced }) => ({
      mode,
      ...(total === undefined ? {} : { totalUsd: amountsOf(total) }),
      ...(item === undefined ? {} : { itemUsd: amountsOf(item) }),
      unpriced: [...unpriced],
    })),
    models: models.map(({ model, callsPerItem, inputTokens, outputTokens, costUsd }) => ({
      model,
      callsPerItem: Math.round(callsPerItem * 1000) / 1000,
      inputTokens,
      outputTokens,
      costUsd: Object.fromEntries(Object.entries(costUsd).map(([mode, spread]) => [mode, amountsOf(spread)])),
    })),
  };
}

export function roomPart(room: QuotaRoom, fits: boolean | undefined): BatchEstimate['budgets'][number] {
  const { name, unit, limit, left, atLimit, model, endsAt } = room;
  return {
    name,
    unit,
    limit: formatUsd(limit),
    left: formatUsd(left),
    atLimit,
    ...(model === undefined ? {} : { model }),
    windowEndsAt: endsAt.toISOString(),
    ...(fits === undefined ? {} : { fits }),
  };
}

function amountsOf({ p50, p90 }: Spread<Usd>): { p50: string; p90: string } {
  return { p50: formatUsd(p50), p90: formatUsd(p90) };
}
