import {
  asRecord,
  type JsonRecord,
  numberIn,
  type ReportedUsage,
  splitTotal,
  wholeCount,
} from './token-usage.ts';

/*
 * The usage of Amazon Bedrock's Converse: what was neither read from nor written to the cache, and both beside it. Writes
 * are split by lifetime where the model offers more than one. Reasoning lies inside the output, uncounted.
 */

/** The disjoint classes of a Converse answer. */
export function bedrockUsage(raw: JsonRecord): ReportedUsage {
  const faults: string[] = [];
  const input = numberIn(raw, 'inputTokens');
  const read = numberIn(raw, 'cacheReadInputTokens') ?? numberIn(raw, 'cacheReadInputTokenCount') ?? 0;
  const byLifetime = writesByLifetime(raw['cacheDetails']);
  const written =
    numberIn(raw, 'cacheWriteInputTokens') ??
    numberIn(raw, 'cacheWriteInputTokenCount') ??
    byLifetime.short + byLifetime.long;
  const long = Math.min(wholeCount('cacheDetails', byLifetime.long, faults), Math.max(0, written));
  const total = input === undefined || input < 0 ? input : input + Math.max(0, read) + Math.max(0, written);
  return {
    input: splitTotal(
      'input',
      total,
      {
        cache_read: read,
        cache_write_1h: long,
        cache_write_5m: written - long,
      },
      'uncached_input',
      faults,
    ),
    output: splitTotal('output', numberIn(raw, 'outputTokens'), {}, 'text_output', faults),
    faults,
  };
}

function writesByLifetime(details: unknown): { readonly short: number; readonly long: number } {
  const writes = { short: 0, long: 0 };
  if (!Array.isArray(details)) return writes;
  for (const item of details.map(asRecord)) {
    const count = Math.max(0, numberIn(item, 'inputTokens') ?? 0);
    if (item?.['ttl'] === '1h') writes.long += count;
    else writes.short += count;
  }
  return writes;
}
