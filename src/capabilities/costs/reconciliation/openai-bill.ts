import { z } from 'zod';
import { tierOf } from '../../../pricing/tier-names.ts';
import type { BillMeter, CostLine, MeterCounts, UsageLine } from './bill.ts';
import { type BillPart, type PageReader, placeOf } from './bill-part.ts';
import { invalidBill, partOf } from './bill-text.ts';
import {
  amountText,
  count,
  currency,
  dayOf,
  CoveredDays,
  digitsAfterPoint,
  maybeCount,
  maybeWord,
  maxBuckets,
  maxResults,
  pageFields,
  readValue,
  seconds,
  usdOf,
} from './bill-values.ts';

/*
 * What OpenAI says of an organisation: pages of GET /v1/organization/usage/completions (and embeddings), and of
 * GET /v1/organization/costs grouped by line item. https://platform.openai.com/docs/api-reference/usage
 */

const pageSchema = z.object({
  object: z.literal('page', { error: 'is "page"' }),
  data: z.array(z.unknown()).max(maxBuckets, `has at most ${maxBuckets} buckets`),
  ...pageFields,
});

// Buckets and results are read one by one: the first that is none ends the reading.
const bucketSchema = z.object({
  start_time: seconds,
  end_time: seconds,
  results: z.array(z.unknown()).max(maxResults, `has at most ${maxResults} results`),
});

const resultSchema = z.object({ object: z.string({ error: 'is the name of a result' }) });

const usageSchema = z.looseObject({
  input_tokens: count,
  output_tokens: count.optional(),
  num_model_requests: count,
  input_cached_tokens: maybeCount,
  input_uncached_tokens: maybeCount,
  input_cache_write_tokens: maybeCount,
  input_audio_tokens: maybeCount,
  output_audio_tokens: maybeCount,
  project_id: maybeWord,
  api_key_id: maybeWord,
  model: maybeWord,
  batch: z.boolean({ error: 'is true, false or null' }).nullish(),
  service_tier: maybeWord,
});

/** Parts of what other fields count, and who asked. */
const knownUsageFields: ReadonlySet<string> = new Set([
  ...Object.keys(usageSchema.shape),
  'object',
  'user_id',
  'api_source',
  'input_text_tokens',
  'output_text_tokens',
  'input_image_tokens',
  'output_image_tokens',
  'input_cached_text_tokens',
  'input_cached_audio_tokens',
  'input_cached_image_tokens',
  'input_cache_write_30m_tokens',
  'input_cache_write_12h_tokens',
]);

const costSchema = z.object({
  amount: z.object({ value: amountText, currency }),
  line_item: maybeWord,
  project_id: maybeWord,
  api_key_id: maybeWord,
  quantity: z.unknown().optional(),
});

/** What follows the model in a line item, in lower case without "tokens": the meter that it is. */
const lineItemMeters: Readonly<Record<string, BillMeter>> = {
  input: 'input',
  'cached input': 'cache_read',
  'input cached': 'cache_read',
  'cache write': 'cache_write',
  'input cache write': 'cache_write',
  output: 'output',
  'audio input': 'audio_input',
  'audio output': 'audio_output',
  'image input': 'image_input',
  'image output': 'image_output',
};

const usageResults: ReadonlySet<string> = new Set([
  'organization.usage.completions.result',
  'organization.usage.embeddings.result',
]);
const costResult = 'organization.costs.result';

/** One page of usage or costs. */
export const readOpenaiPage: PageReader = function* (document, file) {
  const page = readValue(pageSchema, document, file);
  const usage: UsageLine[] = [];
  const costs: CostLine[] = [];
  const notices = new Set<string>();
  const buckets: string[] = [];
  const days = new CoveredDays(file);
  let digits = 0;
  let form: BillPart['form'] = 'openai';
  for (const b of page.data.keys()) {
    yield undefined;
    const bucket = readValue(bucketSchema, partOf(document, ['data', b]), file);
    if (bucket.end_time <= bucket.start_time)
      throw invalidBill(file, document.lineOf(['data', b]), `data.${b}.end_time`, 'lies behind start_time');
    days.add(bucket.start_time, bucket.end_time);
    const kinds = new Set<string>();
    for (const r of bucket.results.keys()) {
      yield undefined;
      const part = partOf(document, ['data', b, 'results', r]);
      const place = placeOf(file, part);
      const { object } = readValue(resultSchema, part, file);
      kinds.add(object);
      const day = dayOf(bucket.start_time);
      if (usageResults.has(object)) {
        form = 'openai usage';
        usage.push({ ...usageLine(readValue(usageSchema, part, file), notices), place, day });
      } else if (object === costResult) {
        form = 'openai costs';
        const cost = readValue(costSchema, part, file);
        digits = Math.max(digits, digitsAfterPoint(cost.amount.value));
        costs.push({ ...costLine(cost, notices), place, day });
      } else {
        throw invalidBill(
          file,
          part.lineOf([]),
          `data.${b}.results.${r}.object`,
          `"${object}" is no result that is read here: ${[...usageResults, costResult].join(', ')}`,
        );
      }
    }
    for (const kind of kinds) buckets.push(`${kind} from ${bucket.start_time.toISOString()}`);
  }
  return {
    form,
    usage,
    costs,
    requests: [],
    days: days.list(),
    buckets,
    notices: [...notices],
    digits,
    hasMore: page.has_more === true,
  };
};

type Usage = z.output<typeof usageSchema>;

function usageLine(result: Usage, notices: Set<string>): Omit<UsageLine, 'place' | 'day'> {
  const cached = result.input_cached_tokens ?? 0;
  const written = result.input_cache_write_tokens ?? 0;
  const tokens: MeterCounts = {
    input: result.input_uncached_tokens ?? Math.max(0, result.input_tokens - cached - written),
    cache_read: cached,
    cache_write: written,
    output: result.output_tokens ?? 0,
    audio_input: result.input_audio_tokens ?? 0,
    audio_output: result.output_audio_tokens ?? 0,
  };
  for (const field of Object.keys(result))
    if (!knownUsageFields.has(field)) notices.add(`usage field ${field}`);
  const key = result.api_key_id ?? result.project_id;
  return {
    model: result.model ?? '',
    tokens,
    requests: result.num_model_requests,
    ...(result.batch === true
      ? { tier: 'batch' }
      : result.service_tier === undefined || result.service_tier === null
        ? {}
        : { tier: tierOf(result.service_tier, 'openai') }),
    ...(key === undefined || key === null ? {} : { key }),
  };
}

function costLine(cost: z.output<typeof costSchema>, notices: Set<string>): Omit<CostLine, 'place' | 'day'> {
  const key = cost.api_key_id ?? cost.project_id;
  const same = { amountUsd: usdOf(cost.amount.value), ...(key === undefined || key === null ? {} : { key }) };
  const item = cost.line_item ?? '';
  if (item === '') return { ...same, model: '', meter: 'all' };
  const [model = '', ...words] = item.split(',').map((part) => part.trim());
  const word = words
    .join(' ')
    .toLowerCase()
    .replaceAll('_', ' ')
    .replace(/\btokens?\b/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  const [, tier, rest = word] = /^(batch|flex|priority|fast)\s+(.+)$/.exec(word) ?? [];
  const meter = lineItemMeters[rest];
  const named = { ...same, model, ...(tier === undefined ? {} : { tier: tierOf(tier, 'openai') }) };
  if (meter !== undefined) return { ...named, meter };
  notices.add(`line item "${item}"`);
  return { ...named, meter: 'unknown', name: item };
}
