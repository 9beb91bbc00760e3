import { type JsonRecord, numberIn, recordIn, type ReportedUsage, splitTotal } from './token-usage.ts';

/*
 * OpenAI's two usage blocks, and the many that imitate the first. Totals include their parts: cached and written
 * tokens lie inside the input, reasoning inside the output. Two habits of imitators are known: reasoning that stands
 * beside the output (then the grand total shows it), and cache hits in a field of their own.
 */

/** The disjoint classes of a usage block of chat completions, responses or embeddings. */
export function openAiUsage(raw: JsonRecord): ReportedUsage {
  const isResponses = numberIn(raw, 'input_tokens') !== undefined;
  const faults: string[] = [];
  const inputTotal = numberIn(raw, isResponses ? 'input_tokens' : 'prompt_tokens');
  const outputTotal = numberIn(raw, isResponses ? 'output_tokens' : 'completion_tokens');
  const inputDetails = recordIn(raw, isResponses ? 'input_tokens_details' : 'prompt_tokens_details');
  const outputDetails = recordIn(raw, isResponses ? 'output_tokens_details' : 'completion_tokens_details');
  const outputParts = {
    reasoning: numberIn(outputDetails, 'reasoning_tokens'),
    audio_output: numberIn(outputDetails, 'audio_tokens'),
    image_output: numberIn(outputDetails, 'image_tokens'),
  };
  const beside = tokensBeside(raw, inputTotal, outputTotal, outputParts.reasoning ?? 0, faults);
  return {
    input: splitTotal('input', inputTotal, inputParts(raw, inputDetails), 'uncached_input', faults),
    output: splitTotal(
      'output',
      outputTotal === undefined || outputTotal < 0 ? outputTotal : outputTotal + beside,
      { ...outputParts, reasoning: Math.max(outputParts.reasoning ?? 0, beside) },
      'text_output',
      faults,
    ),
    faults,
  };
}

function inputParts(raw: JsonRecord, details: JsonRecord | undefined): Parameters<typeof splitTotal>[2] {
  const written = numberIn(details, 'cache_write_tokens') ?? 0;
  // The long-lived part of what was written; the rest lives for the shorter time.
  const writtenLong = numberIn(recordIn(details, 'cache_write_tokens_details'), 'ttl_12h_tokens') ?? 0;
  return {
    cache_read: numberIn(details, 'cached_tokens') ?? numberIn(raw, 'prompt_cache_hit_tokens'),
    cache_write_1h: Math.min(writtenLong, written),
    cache_write_5m: Math.max(0, written - writtenLong),
    audio_input: numberIn(details, 'audio_tokens'),
    image_input: numberIn(details, 'image_tokens'),
  };
}

/**
 * Output that stands beside the reported output and shows in the grand total only: reasoning, as some compatible
 * providers report it. A grand total that fits neither way is a fault.
 */
function tokensBeside(
  raw: JsonRecord,
  input: number | undefined,
  output: number | undefined,
  reasoning: number,
  faults: string[],
): number {
  const total = numberIn(raw, 'total_tokens');
  if (total === undefined || input === undefined || output === undefined) return 0;
  const gap = total - input - output;
  if (gap === 0 || (gap === reasoning && reasoning > 0)) return gap;
  faults.push(`the total (${total}) is not the sum of input (${input}) and output (${output})`);
  return Math.max(0, gap);
}
