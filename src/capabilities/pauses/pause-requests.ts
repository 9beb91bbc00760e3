import { isStorableText, storableProblem } from '../../kernel/storable-text.ts';
import { z } from 'zod';
import { isPrintableName, notPrintable } from '../../kernel/printable-name.ts';
import { blockScopes } from '../../engine/ledger/block.ts';
import { requiredReason } from '../../http/change-reason.ts';

/* What may be asked for about pauses, by request or on the command line. */

const text = (max: number) =>
  z.string().max(max, `has at most ${max} characters`).refine(isStorableText, storableProblem);

const scope = z.enum(blockScopes, { error: `is any of ${blockScopes.join(', ')}` });
const modelPattern = /^[^/]+\/.+$/s;

const whatShape = { scope, value: text(512).refine(isPrintableName, notPrintable).optional() };

/** Every scope but "all" has a value. */
function checkValue(
  { scope: given, value = '' }: { readonly scope: string; readonly value?: string | undefined },
  context: z.core.$RefinementCtx,
): void {
  const fault = (message: string): void => context.addIssue({ code: 'custom', path: ['value'], message });
  if (given === 'all') {
    if (value !== '') fault('is left out for the scope "all"');
  } else if (value.trim() === '') fault(`names the ${given}`);
  else if (given === 'model' && !modelPattern.test(value)) fault('is "provider/model"');
}

/** POST /v1/pauses: the body. */
export const placePauseSchema = z
  .strictObject({
    ...whatShape,
    reason: requiredReason,
    abort: z.boolean().optional(),
  })
  .superRefine(checkValue)
  .transform(({ value = '', abort = false, ...order }) => ({ ...order, value, aborts: abort }));

/** What `millrace resume` names. */
export const resumePauseSchema = z
  .strictObject({ ...whatShape, reason: requiredReason })
  .superRefine(checkValue)
  .transform(({ value = '', ...order }) => ({ ...order, value }));

/** DELETE /v1/pauses/{id}: the query string. */
export const resumeByIdSchema = z.strictObject({ reason: requiredReason });
