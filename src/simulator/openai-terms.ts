import { z } from 'zod';
import type { Parsed } from './endpoint.ts';
import { refusalsOf } from './provider-errors.ts';
import { faultsOf } from './simulator-config.ts';
import type { BilledTokens } from './simulator-prices.ts';

/*
 * What OpenAI's endpoints say in the same words.
 */

export const toolChoiceSchema = z.enum(['auto', 'none', 'required']);

/** Efforts above high are taken as high. */
export const effortSchema = z
  .enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
  .transform((effort) => (effort === 'xhigh' || effort === 'max' ? 'high' : effort));

/** How a request that breaks the schema is refused: by its first fault. */
export function openaiRefusal(error: z.ZodError): Parsed {
  const [fault] = faultsOf(error);
  return {
    kind: 'refused',
    refusal: refusalsOf.openai.invalidRequest(`Invalid '${fault?.field}': ${fault?.problem}.`, fault?.field),
  };
}

/** OpenAI's overlapping counts: cached tokens stand inside the input, reasoning inside the output. */
export function openaiUsageParts(tokens: BilledTokens): {
  input: number;
  cached: number;
  output: number;
  reasoning: number;
} {
  return {
    input: tokens.uncached_input + tokens.cache_read,
    cached: tokens.cache_read,
    output: tokens.text_output + tokens.reasoning,
    reasoning: tokens.reasoning,
  };
}
