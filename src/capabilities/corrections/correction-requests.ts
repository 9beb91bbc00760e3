import { z } from 'zod';
import { usd } from '../../kernel/money.ts';
import { tokenClasses } from '../../pricing/token-classes.ts';
import type { CorrectionRequest } from './correction-service.ts';
import { requiredReason } from '../../http/change-reason.ts';

const maxTokens = 9_999_999_999;

/** The body of a correction. A field that is not known is a fault. */
export const correctionRequestSchema = z.strictObject({
  tokens: z
    .partialRecord(z.enum(tokenClasses), z.int().min(0).max(maxTokens))
    .describe('What the call truly used, by class of token; a class left out is 0.'),
  costUsd: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,18})?$/, 'is an amount in US dollars as a decimal string')
    .optional()
    .describe("What the provider billed; without it the catalogue's price at the time of the call."),
  reason: requiredReason,
  dryRun: z.boolean().default(false).describe('Only say what would change.'),
});

/** The correction as it is asked for by HTTP. */
export function correctionOf(id: string, body: z.output<typeof correctionRequestSchema>): CorrectionRequest {
  const { costUsd, tokens, ...request } = body;
  const counts = Object.fromEntries(Object.entries(tokens).filter(([, count]) => count !== undefined));
  return { id, ...request, tokens: counts, ...(costUsd === undefined ? {} : { costUsd: usd(costUsd) }) };
}

const correctedUsageSchema = z.object({
  tokens: z.record(z.string(), z.int()),
  costUsd: z.string().optional().describe('Absent when it is not known.'),
});

/** The answer of a correction. */
export const correctionReportSchema = z.object({
  id: z.string(),
  dryRun: z.boolean(),
  isChanged: z.boolean().describe('False: the call says this already.'),
  actionId: z.string().optional().describe('In the audit.'),
  before: correctedUsageSchema,
  after: correctedUsageSchema,
});
