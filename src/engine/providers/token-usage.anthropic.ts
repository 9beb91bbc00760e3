import { inputTokenClasses, type TokenClass, type TokenCounts } from '../../pricing/token-classes.ts';
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
  const iterations = ownIterations(raw, faults) ?? [raw];
  const outputs = known(iterations.map((iteration) => numberIn(iteration, 'output_tokens')));
  return {
    input: sumOfInputs(iterations.map((iteration) => inputCounts(iteration, faults))),
    output: splitTotal(
      'output',
      // A negative part makes nonsense of the sum, not a smaller sum.
      outputs?.reduce((total, count) => (count < 0 ? Number.NaN : total + count), 0),
      { reasoning: numberIn(recordIn(raw, 'output_tokens_details'), 'thinking_tokens') },
      'text_output',
      faults,
    ),
    faults,
  };
}

/** The input of one sampling; undefined when it was not reported. */
function inputCounts(raw: JsonRecord, faults: string[]): TokenCounts | undefined {
  const uncached = numberIn(raw, 'input_tokens');
  if (uncached === undefined) return undefined;
  if (!(uncached >= 0)) {
    faults.push(`input_tokens is ${uncached}, which is no count of tokens`);
    return undefined;
  }
  const lifetimes = recordIn(raw, 'cache_creation');
  const long = wholeCount(
    'ephemeral_1h_input_tokens',
    numberIn(lifetimes, 'ephemeral_1h_input_tokens') ?? 0,
    faults,
  );
  const short = numberIn(lifetimes, 'ephemeral_5m_input_tokens');
  // Samplings of a turn tell the lifetimes alone.
  const written = wholeCount(
    'cache_creation_input_tokens',
    numberIn(raw, 'cache_creation_input_tokens') ?? Math.max(0, short ?? 0) + long,
    faults,
  );
  if (short !== undefined && short + long !== written) {
    faults.push(
      `cache writes by lifetime (${short} + ${long}) are not the cache writes in total (${written})`,
    );
  }
  return {
    uncached_input: wholeCount('input_tokens', uncached, faults),
    cache_read: wholeCount('cache_read_input_tokens', numberIn(raw, 'cache_read_input_tokens') ?? 0, faults),
    cache_write_5m: Math.max(0, written - long),
    cache_write_1h: Math.min(long, written),
  };
}

/** The inputs together, without what is 0; undefined when one of them is not known, for then the sum is not. */
function sumOfInputs(inputs: readonly (TokenCounts | undefined)[]): TokenCounts | undefined {
  const sum: Partial<Record<TokenClass, number>> = {};
  for (const input of inputs) {
    if (input === undefined) return undefined;
    for (const name of inputTokenClasses) {
      const count = input[name] ?? 0;
      if (count > 0) sum[name] = (sum[name] ?? 0) + count;
    }
  }
  return sum;
}

function known(counts: readonly (number | undefined)[]): readonly number[] | undefined {
  const found = counts.filter((count) => count !== undefined);
  return found.length === 0 ? undefined : found;
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
