import { z } from 'zod';
import { isPrintableName, notPrintable } from '../../kernel/printable-name.ts';
import { wholeNumber } from '../../kernel/setting.ts';
import { requiredReason } from '../../http/change-reason.ts';

/* What may be asked for about limits of models, by request or on the command line. */

/** As in the configuration. */
export const limitedNamePattern = /^[a-z][a-z0-9-]*\/.+$/;
export const maxRequestsPerMinute = 1_000_000_000;
export const maxTokensPerMinute = 1_000_000_000_000;
export const requestsPerMinute = wholeNumber(1, maxRequestsPerMinute);
export const tokensPerMinute = wholeNumber(1, maxTokensPerMinute);

const model = z
  .string({ error: 'names the model' })
  .max(512, 'has at most 512 characters')
  .regex(limitedNamePattern, 'is "provider/model", or "provider/*"')
  .refine(isPrintableName, notPrintable)
  .describe('"provider/model", or "provider/*" for every model of the provider without limits of its own.');

/** PUT /v1/model-limits: the body. */
export const setLimitSchema = z
  .strictObject({
    model,
    requestsPerMinute: requestsPerMinute.optional(),
    tokensPerMinute: tokensPerMinute.optional(),
    reason: requiredReason,
  })
  .refine(
    (limit) => limit.requestsPerMinute !== undefined || limit.tokensPerMinute !== undefined,
    'names requestsPerMinute, tokensPerMinute or both',
  );

/** DELETE /v1/model-limits: the query string. */
export const resetLimitSchema = z.strictObject({ model, reason: requiredReason });

export type LimitOrder = z.output<typeof setLimitSchema>;
