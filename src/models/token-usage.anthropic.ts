import {
  asRecord,
  type JsonRecord,
  numberIn,
  recordIn,
  type ReportedUsage,
  splitTotal,
  wholeCount,
} from './token-usage.ts';

/*
 * Anthropic's usage block. Its input classes are disjoint already: input_tokens is what was neither read from nor
 * written to the cache. Writes split by lifetime; thinking lies inside the output. When a turn was sampled several
 * times, `iterations` has the true totals of the model that was asked; what another model (an advisor) used is billed
 * at that model's price, which one call row cannot say: that is noted as a fault.
 */

/** The disjoint classes of a usage block of the messages API. */
export function anthropicUsage(raw: JsonRecord): ReportedUsage {
  const faults: string[] = [];
  const iterations = ownIterations(raw, faults);
  const sum = (name: string): number | undefined =>
    iterations === undefined
      ? numberIn(raw, name)
      : iterations.reduce((total, iteration) => total + (numberIn(iteration, name) ?? 0), 0);
  const uncached = sum('input_tokens');
  const output = sum('output_tokens');
  return {
    input: uncached === undefined ? undefined : inputCounts(raw, uncached, faults),
    output: splitTotal(
      'output',
      output,
      { reasoning: numberIn(recordIn(raw, 'output_tokens_details'), 'thinking_tokens') },
      'text_output',
      faults,
    ),
    faults,
  };
}

function inputCounts(raw: JsonRecord, uncached: number, faults: string[]): ReportedUsage['input'] {
  const read = wholeCount('cache_read_input_tokens', numberIn(raw, 'cache_read_input_tokens') ?? 0, faults);
  const written = wholeCount(
    'cache_creation_input_tokens',
    numberIn(raw, 'cache_creation_input_tokens') ?? 0,
    faults,
  );
  const lifetimes = recordIn(raw, 'cache_creation');
  const long = wholeCount(
    'ephemeral_1h_input_tokens',
    numberIn(lifetimes, 'ephemeral_1h_input_tokens') ?? 0,
    faults,
  );
  const short = numberIn(lifetimes, 'ephemeral_5m_input_tokens');
  if (short !== undefined && short + long !== written) {
    faults.push(
      `cache writes by lifetime (${short} + ${long}) are not the cache writes in total (${written})`,
    );
  }
  const counts = {
    uncached_input: wholeCount('input_tokens', uncached, faults),
    cache_read: read,
    cache_write_5m: Math.max(0, written - long),
    cache_write_1h: Math.min(long, written),
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** The samplings that are billed at the asked model's price; undefined when the top level says it all. */
function ownIterations(raw: JsonRecord, faults: string[]): readonly JsonRecord[] | undefined {
  const listed = raw['iterations'];
  if (!Array.isArray(listed)) return undefined;
  const iterations = listed.map((item: unknown) => asRecord(item)).filter((item) => item !== undefined);
  if (iterations.some(({ type }) => type === 'advisor_message')) {
    faults.push('an advisor of another model took part, at a price of its own');
  }
  // A turn that a fallback model served is reported at the top level; the iterations show the blocked attempt.
  if (iterations.some(({ type }) => type === 'fallback_message')) return undefined;
  const own = iterations.filter(({ type }) => type === 'compaction' || type === 'message');
  return own.length === 0 ? undefined : own;
}
