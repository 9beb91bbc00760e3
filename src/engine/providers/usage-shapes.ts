import { type JsonRecord, numberIn, recordIn, type ReportedUsage } from './token-usage.ts';
import { anthropicUsage } from './token-usage.anthropic.ts';
import { bedrockUsage } from './token-usage.bedrock.ts';
import { cohereUsage } from './token-usage.cohere.ts';
import { geminiUsage } from './token-usage.gemini.ts';
import { openAiUsage } from './token-usage.openai.ts';

/*
 * The forms in which providers report usage. Mistral, xAI, DeepSeek, Groq, Together, Fireworks, Perplexity, Moonshot and
 * OpenRouter speak OpenAI's, with fields of their own.
 */

const readers = {
  openai: openAiUsage,
  anthropic: anthropicUsage,
  gemini: geminiUsage,
  bedrock: bedrockUsage,
  cohere: cohereUsage,
} as const satisfies Record<string, (raw: JsonRecord) => ReportedUsage>;

/** In whose words a provider reports usage. */
export type UsageShape = keyof typeof readers;

/** Every form. */
export const usageShapes = Object.keys(readers) as readonly UsageShape[];

/** The disjoint classes of a provider's own usage block. */
export function usageInShape(shape: UsageShape, raw: JsonRecord): ReportedUsage {
  return readers[shape](raw);
}

/** The form that a usage block is in, by the fields that no other has; undefined when it is in none. */
export function shapeOf(raw: JsonRecord): UsageShape | undefined {
  if (numberIn(raw, 'promptTokenCount') !== undefined || Array.isArray(raw['promptTokensDetails']))
    return 'gemini';
  if (recordIn(raw, 'billed_units') !== undefined || recordIn(raw, 'tokens') !== undefined) return 'cohere';
  if (numberIn(raw, 'inputTokens') !== undefined && numberIn(raw, 'outputTokens') !== undefined)
    return 'bedrock';
  if (numberIn(raw, 'prompt_tokens') !== undefined) return 'openai';
  if (numberIn(raw, 'input_tokens') === undefined) return undefined;
  const isAnthropic =
    'cache_creation_input_tokens' in raw ||
    'cache_read_input_tokens' in raw ||
    'cache_creation' in raw ||
    'iterations' in raw ||
    'server_tool_use' in raw ||
    'inference_geo' in raw;
  if (isAnthropic) return 'anthropic';
  return 'input_tokens_details' in raw || 'output_tokens_details' in raw || 'total_tokens' in raw
    ? 'openai'
    : undefined;
}
