import type { LanguageModelV4Usage } from '@ai-sdk/provider';
import type { UsageBeside } from '../../pricing/price.ts';
import type { RatedCounts, RatedKind } from '../../pricing/token-classes.ts';

/*
 * Usage as providers report it, made disjoint. A half (input, output) is undefined when the provider did not report
 * it; it is counted then. A report that contradicts itself is taken as well as can be, with its faults listed: the
 * call is marked as estimated, never dropped.
 */

/** Reported usage in disjoint classes. */
export interface ReportedUsage extends UsageBeside {
  readonly input: RatedCounts | undefined;
  readonly output: RatedCounts | undefined;
  /** What contradicts itself in the report. Empty for a sound one. */
  readonly faults: readonly string[];
}

/** A JSON object of unknown shape. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export const noUsage: ReportedUsage = { input: undefined, output: undefined, faults: [] };

/** The usage in the SDK's own normalised fields, for models that report in no provider's words. */
export function genericUsage({ inputTokens, outputTokens }: LanguageModelV4Usage): ReportedUsage {
  const faults: string[] = [];
  const input = { cache_read: inputTokens.cacheRead, cache_write_5m: inputTokens.cacheWrite };
  const output = { reasoning: outputTokens.reasoning };
  return {
    input: splitTotal(
      'input',
      totalOf(inputTokens.total, [inputTokens.noCache, ...Object.values(input)]),
      input,
      'uncached_input',
      faults,
    ),
    output: splitTotal(
      'output',
      totalOf(outputTokens.total, [outputTokens.text, outputTokens.reasoning]),
      output,
      'text_output',
      faults,
    ),
    faults,
  };
}

/**
 * A total and the parts inside it, as disjoint classes: the rest of the total goes to `rest`. Parts that exceed the
 * total are cut to it, in order, and noted as a fault. Undefined without a total, or with one that is no count at all.
 */
export function splitTotal(
  half: string,
  total: number | undefined,
  parts: Readonly<Partial<Record<RatedKind, number | undefined>>>,
  rest: RatedKind,
  faults: string[],
): RatedCounts | undefined {
  if (total === undefined) return undefined;
  if (!(total >= 0)) {
    faults.push(`total ${half} is ${total}, which is no count of tokens`);
    return undefined;
  }
  const counts: Partial<Record<RatedKind, number>> = {};
  let left = wholeCount(`total ${half}`, total, faults);
  for (const [name, part] of Object.entries(parts) as [RatedKind, number | undefined][]) {
    if (part === undefined || part === 0) continue;
    const count = wholeCount(name, part, faults);
    if (count > left)
      faults.push(`${name} (${count}) is more than what is left of the total ${half} (${left})`);
    const kept = Math.min(count, left);
    if (kept > 0) counts[name] = kept;
    left -= kept;
  }
  if (left > 0) counts[rest] = left;
  return counts;
}

/** A count as a whole number of at least 0; anything else is a fault and becomes the nearest such number. */
export function wholeCount(name: string, value: number, faults: string[]): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  faults.push(`${name} is ${value}, which is no count of tokens`);
  return value > 0 ? Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER) : 0;
}

const numberText = /^-?\d{1,400}(\.\d{1,400})?$/;

/** A number in a record of unknown shape, also when it is written as text; undefined when there is none. */
export function numberIn(record: JsonRecord | undefined, name: string): number | undefined {
  return numberOf(record?.[name]);
}

/** The value as a number: some gateways write counts as text ("120"). */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && numberText.test(value) ? Number(value) : undefined;
}

/** A record in a record of unknown shape; undefined when there is none. */
export function recordIn(record: JsonRecord | undefined, name: string): JsonRecord | undefined {
  return asRecord(record?.[name]);
}

/** The value itself when it is a JSON object. */
export function asRecord(value: unknown): JsonRecord | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonRecord)
    : undefined;
}

function totalOf(total: number | undefined, parts: readonly (number | undefined)[]): number | undefined {
  if (total !== undefined) return total;
  const known = parts.filter((part) => part !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, part) => sum + part, 0);
}
