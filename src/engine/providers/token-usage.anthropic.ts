import type { ModelPart } from '../../pricing/price.ts';
import {
  inputTokenClasses,
  type RatedCounts,
  type TokenClass,
  type TokenCounts,
} from '../../pricing/token-classes.ts';
import { unitsOfUsage } from './usage-counts.ts';
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
 * times, `iterations` has the true totals of the model that was asked, caches included; what another model (an advisor)
 * used is a part of the call, at that model's price.
 */

/** The disjoint classes of a usage block of the messages API. */
export function anthropicUsage(raw: JsonRecord): ReportedUsage {
  const faults: string[] = [];
  const { own, others } = iterationsOf(raw, faults);
  const parts = partsOf(others, faults);
  const units = unitsOfUsage(raw);
  return {
    input: sumOfInputs(own.map((iteration) => inputCounts(iteration, faults))),
    output: outputOf(own, numberIn(recordIn(raw, 'output_tokens_details'), 'thinking_tokens'), faults),
    ...(Object.keys(units).length === 0 ? {} : { units }),
    ...(parts.length === 0 ? {} : { parts }),
    faults,
  };
}

function outputOf(
  iterations: readonly JsonRecord[],
  thinking: number | undefined,
  faults: string[],
): RatedCounts | undefined {
  const outputs = known(iterations.map((iteration) => numberIn(iteration, 'output_tokens')));
  return splitTotal(
    'output',
    // A negative part makes nonsense of the sum, not a smaller sum.
    outputs?.reduce((total, count) => (count < 0 ? Number.NaN : total + count), 0),
    { reasoning: thinking },
    'text_output',
    faults,
  );
}

/** What other models used, one part a model. */
function partsOf(iterations: readonly JsonRecord[], faults: string[]): readonly ModelPart[] {
  const byModel = Map.groupBy(iterations, ({ model }) => String(model));
  return [...byModel].flatMap(([model, own]) => {
    const input = sumOfInputs(own.map((iteration) => inputCounts(iteration, faults)));
    const output = outputOf(own, undefined, faults);
    if (input !== undefined && output !== undefined) return [{ model, tokens: { ...input, ...output } }];
    faults.push(`${model} took part, with usage that is not told`);
    return [];
  });
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
  // Samplings of a turn tell the lifetimes alone, or beside a total of 0.
  const byLifetime = Math.max(0, short ?? 0) + long;
  const written = wholeCount(
    'cache_creation_input_tokens',
    numberIn(raw, 'cache_creation_input_tokens') || byLifetime,
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

interface Iterations {
  /** Those of the model that was asked; the whole block when the top level says it all. */
  readonly own: readonly JsonRecord[];
  /** Those of other models. */
  readonly others: readonly JsonRecord[];
}

function iterationsOf(raw: JsonRecord, faults: string[]): Iterations {
  const listed = raw['iterations'];
  if (!Array.isArray(listed)) return { own: [raw], others: [] };
  const iterations = listed.map((item: unknown) => asRecord(item)).filter((item) => item !== undefined);
  // A turn that a fallback model served is reported at the top level; the iterations show the blocked attempt.
  if (iterations.some(({ type }) => type === 'fallback_message')) return { own: [raw], others: [] };
  const own: JsonRecord[] = [];
  const others: JsonRecord[] = [];
  for (const iteration of iterations) {
    const { type, model } = iteration;
    if (type === 'compaction' || type === 'message') own.push(iteration);
    else if (typeof model === 'string' && model !== '') others.push(iteration);
    else faults.push(`an iteration of type ${String(type)} took part, without its model`);
  }
  return { own: own.length === 0 ? [raw] : own, others };
}
