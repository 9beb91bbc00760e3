import { z } from 'zod';
import type { BilledTokens } from './simulator-prices.ts';

/*
 * What OpenAI's chat completions and responses say in the same words.
 */

export const toolChoiceSchema = z.enum(['auto', 'none', 'required']);

/** Efforts above high are taken as high. */
export const effortSchema = z
  .enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
  .transform((effort) => (effort === 'xhigh' || effort === 'max' ? 'high' : effort));

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
