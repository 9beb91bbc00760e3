import { z } from 'zod';
import type { CostLine, RequestLine, UsageLine } from './bill.ts';
import { type PageReader, placeOf } from './bill-part.ts';
import { invalidBill, partOf } from './bill-text.ts';
import {
  amountText,
  count,
  dayOf,
  digitsAfterPoint,
  instant,
  maybeCount,
  readValue,
  usdOf,
  word,
} from './bill-values.ts';

/*
 * What OpenRouter says: GET /api/v1/activity, a row for each day, model and endpoint, and GET /api/v1/generation?id=…, one
 * request each, one after the other or in one array. https://openrouter.ai/docs/api-reference
 */

const activitySchema = z.looseObject({
  date: z.string().regex(/^\d{4}-\d{2}-\d{2}(?: 00:00:00)?$/, 'is a day such as 2026-03-01'),
  model: word,
  usage: amountText,
  requests: count,
  prompt_tokens: count,
  completion_tokens: count,
  reasoning_tokens: maybeCount,
  byok_usage_inference: amountText.nullish(),
});

const generationSchema = z.looseObject({
  id: word,
  model: word,
  created_at: instant,
  total_cost: amountText,
  native_tokens_prompt: maybeCount,
  native_tokens_completion: maybeCount,
  native_tokens_reasoning: maybeCount,
  native_tokens_cached: maybeCount,
  cancelled: z.boolean().nullish(),
});

const listSchema = z.object({ data: z.array(z.unknown()).max(1_000_000, 'has at most 1000000 rows') });
const oneSchema = z.object({ data: z.unknown() });

/** An activity list, or generations. */
export const readOpenrouterPage: PageReader = function* (document, file) {
  const usage: UsageLine[] = [];
  const costs: CostLine[] = [];
  const requests: RequestLine[] = [];
  const notices = new Set<string>();
  let digits = 0;
  const outer = readValue(oneSchema, document, file);
  const rows = Array.isArray(outer.data) ? readValue(listSchema, document, file).data : [outer.data];
  for (const [index, value] of rows.entries()) {
    yield undefined;
    const row = partOf(document, Array.isArray(outer.data) ? ['data', index] : ['data']);
    const place = placeOf(file, row);
    if (typeof value === 'object' && value !== null && 'date' in value) {
      const activity = readValue(activitySchema, row, file);
      const day = activity.date.slice(0, 10);
      if (day < '1970-01-01' || Number.isNaN(Date.parse(day)))
        throw invalidBill(file, row.lineOf([]), 'date', 'is no day');
      digits = Math.max(digits, digitsAfterPoint(activity.usage));
      usage.push({
        place,
        day,
        model: activity.model,
        tokens: { input: activity.prompt_tokens, output: activity.completion_tokens },
        requests: activity.requests,
      });
      costs.push({ place, day, model: activity.model, meter: 'all', amountUsd: usdOf(activity.usage) });
      const ownKeyUsd = activity.byok_usage_inference ?? '0';
      if (!usdOf(ownKeyUsd).isZero())
        notices.add(
          `${ownKeyUsd} USD on own keys on ${day} (${activity.model}), which another provider bills`,
        );
      continue;
    }
    const generation = readValue(generationSchema, row, file);
    digits = Math.max(digits, digitsAfterPoint(generation.total_cost));
    requests.push(requestLine(generation, place));
  }
  const days = [...new Set([...usage, ...requests].map(({ day }) => day))];
  const form = requests.length > 0 ? 'openrouter generations' : 'openrouter activity';
  return { form, usage, costs, requests, days, buckets: [], notices: [...notices], digits, hasMore: false };
};

function requestLine(generation: z.output<typeof generationSchema>, place: string): RequestLine {
  const prompt = generation.native_tokens_prompt ?? 0;
  const cached = Math.min(prompt, generation.native_tokens_cached ?? 0);
  const completion = generation.native_tokens_completion ?? 0;
  const reasoning = Math.min(completion, generation.native_tokens_reasoning ?? 0);
  return {
    place,
    day: dayOf(generation.created_at),
    model: generation.model,
    requestId: generation.id,
    at: generation.created_at,
    amountUsd: usdOf(generation.total_cost),
    tokens: {
      uncached_input: prompt - cached,
      cache_read: cached,
      text_output: completion - reasoning,
      reasoning,
    },
    isCancelled: generation.cancelled === true,
  };
}
