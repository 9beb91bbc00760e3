import type { UnitCounts } from '../../pricing/usage-units.ts';
import { unitsOfUsage } from './usage-counts.ts';
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
  const units = unitsOfUsage(raw);
  const citation = numberIn(raw, 'citation_tokens');
  if (citation !== undefined) return perplexityUsage(raw, citation, units);
  return {
    input: splitTotal('input', inputTotal, inputParts(raw, inputDetails), 'uncached_input', faults),
    output: splitTotal(
      'output',
      outputTotal === undefined || outputTotal < 0 ? outputTotal : outputTotal + beside,
      { ...outputParts, reasoning: Math.max(outputParts.reasoning ?? 0, beside) },
      'text_output',
      faults,
    ),
    ...(Object.keys(units).length === 0 ? {} : { units }),
    faults,
  };
}

/** Perplexity's research: citations and reasoning stand beside the completion, outside of every total. */
function perplexityUsage(raw: JsonRecord, citation: number, units: UnitCounts): ReportedUsage {
  const faults: string[] = [];
  const completion = numberIn(raw, 'completion_tokens');
  const reasoning = numberIn(raw, 'reasoning_tokens') ?? 0;
  const total = completion === undefined || completion < 0 ? completion : completion + citation + reasoning;
  return {
    input: splitTotal('input', numberIn(raw, 'prompt_tokens'), {}, 'uncached_input', faults),
    output: splitTotal('output', total, { reasoning, citation }, 'text_output', faults),
    ...(Object.keys(units).length === 0 ? {} : { units }),
    faults,
  };
}

function inputParts(raw: JsonRecord, details: JsonRecord | undefined): Parameters<typeof splitTotal>[2] {
  const written = numberIn(details, 'cache_write_tokens') ?? 0;
  // The long-lived part of what was written; the rest lives for the shorter time.
  const writtenLong = numberIn(recordIn(details, 'cache_write_tokens_details'), 'ttl_12h_tokens') ?? 0;
  const cachedParts = recordIn(details, 'cached_tokens_details');
  const cachedAudio = numberIn(cachedParts, 'audio_tokens') ?? 0;
  const cachedImage = numberIn(cachedParts, 'image_tokens') ?? 0;
  const cached = cachedTokens(raw, details);
  return {
    cache_read: cached === undefined ? undefined : cached - cachedAudio - cachedImage,
    cache_read_audio: cachedAudio,
    cache_read_image: cachedImage,
    cache_write_1h: Math.min(writtenLong, written),
    cache_write_5m: Math.max(0, written - writtenLong),
    audio_input: less(numberIn(details, 'audio_tokens'), cachedAudio),
    image_input: less(numberIn(details, 'image_tokens'), cachedImage + imagesInCache(raw, details, cached)),
  };
}

/** Cache hits: in OpenAI's place, or in a field of DeepSeek's, Mistral's, Moonshot's and Together's own. */
function cachedTokens(raw: JsonRecord, details: JsonRecord | undefined): number | undefined {
  return (
    numberIn(details, 'cached_tokens') ??
    numberIn(raw, 'prompt_cache_hit_tokens') ??
    numberIn(raw, 'num_cached_tokens') ??
    numberIn(raw, 'cached_tokens')
  );
}

function less(count: number | undefined, part: number): number | undefined {
  return count === undefined ? undefined : Math.max(0, count - part);
}

/** xAI counts text and pictures over cached and uncached input alike: of the pictures, what does not fit beside the cache was in it. */
function imagesInCache(raw: JsonRecord, details: JsonRecord | undefined, cached: number | undefined): number {
  const total = numberIn(raw, 'prompt_tokens') ?? numberIn(raw, 'input_tokens');
  const images = numberIn(details, 'image_tokens');
  if (numberIn(details, 'text_tokens') === undefined || total === undefined || images === undefined) return 0;
  return Math.max(0, images - Math.max(0, total - (cached ?? 0)));
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
