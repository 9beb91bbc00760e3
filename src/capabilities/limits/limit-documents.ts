import { z } from 'zod';
import type { SetLimit } from './set-limits.ts';

/* Limits of models as API and command line show them. */

const rateShape = {
  requestsPerMinute: z.int().optional().describe('Absent: no limit of this kind.'),
  tokensPerMinute: z.int().optional().describe('Absent: no limit of this kind.'),
};

const setShape = {
  requestsPerMinute: z.int().optional().describe('Absent: as configured.'),
  tokensPerMinute: z.int().optional().describe('Absent: as configured.'),
  actor: z.string().describe('Who set it.'),
  reason: z.string(),
  setAt: z.iso.datetime(),
};

const modelLimitSchema = z.object({
  model: z.string().describe('"provider/model", or "provider/*" for every model without limits of its own.'),
  inForce: z.object(rateShape).describe('What holds. A lower limit that the provider names holds besides.'),
  configured: z.object(rateShape).optional().describe('What the configuration says, if anything.'),
  set: z.object(setShape).optional().describe('What an operator has set, if anything.'),
});

export const modelLimitListSchema = z.object({ limits: z.array(modelLimitSchema).describe('By name.') });

export type ModelLimitDocument = z.output<typeof modelLimitSchema>;
export type ModelLimitList = z.output<typeof modelLimitListSchema>;
export const modelLimitDocumentSchema = modelLimitSchema;

export function setLimitDocument(limit: SetLimit): z.output<typeof modelLimitSchema>['set'] {
  const { requestsPerMinute, tokensPerMinute, actor, reason, setAt } = limit;
  return {
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
    ...(tokensPerMinute === undefined ? {} : { tokensPerMinute }),
    actor,
    reason,
    setAt: setAt.toISOString(),
  };
}
