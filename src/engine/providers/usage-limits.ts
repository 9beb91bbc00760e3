import type { LanguageModelV4CallOptions, LanguageModelV4Prompt } from '@ai-sdk/provider';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../../pricing/token-classes.ts';
import type { Pricer } from '../../pricing/price.ts';
import { type UnitCounts, type UsageUnit, usageUnits } from '../../pricing/usage-units.ts';
import type { ModelTarget } from './provider-registry.ts';
import type { ReportedUsage } from './token-usage.ts';
import { believedUnits } from './tool-uses.ts';

/*
 * How much usage a provider can truly report for a request. Above these limits a count is no report but nonsense: it
 * is not booked, and the call is counted from its texts. Wider than the bounds that are reserved, because honest usage
 * has parts that the request does not show: a gateway's own prompt, content that lies at the provider, a server's
 * tools, which read their results in several rounds, reasoning that is no part of the asked length.
 */

/** The most that is taken for a report. */
export interface UsageLimits {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the output, what is neither reasoning nor a citation. */
  readonly answerTokens: number;
  /** How often each of the provider's own tools can have been used; one that is absent cannot. */
  readonly units: UnitCounts;
}

/** A prompt that a gateway or a model's template puts before the request. */
const hiddenPromptTokens = 65_536;
/** How far providers run over the asked length: the last words, marks of the template. */
const overrunTokens = 1_024;
/** When the catalogue does not know a model, or knows less of it than there is. */
const leastContextTokens = 1_000_000;
const leastMaxOutputTokens = 128_000;
/** Rounds in which a provider's own tools work on one request, or a context is compacted. */
const providerRounds = 16;

/** The limits of a request to a language model, from what is reserved for it. */
export function languageUsageLimits(
  target: ModelTarget<unknown>,
  options: LanguageModelV4CallOptions,
  limits: ReturnType<Pricer['limits']>,
  reserved: { readonly maxInputTokens: number; readonly maxOutputTokens: number },
): UsageLimits {
  const rounds = hasRounds(options) ? providerRounds : 1;
  const contextTokens = Math.max(limits.contextTokens ?? 0, leastContextTokens) * rounds;
  const modelTokens = Math.max(limits.maxOutputTokens ?? 0, leastMaxOutputTokens, reserved.maxOutputTokens);
  const shownTokens = reserved.maxInputTokens + hiddenPromptTokens;
  const askedTokens = (reserved.maxOutputTokens + overrunTokens) * choicesOf(options);
  const isWithinAsked = target.kind === 'openai' || target.kind === 'anthropic';
  return {
    inputTokens: rounds > 1 || readsElsewhere(options) ? Math.max(shownTokens, contextTokens) : shownTokens,
    outputTokens: rounds > 1 || !isWithinAsked ? Math.max(askedTokens, modelTokens * rounds) : askedTokens,
    answerTokens: rounds > 1 ? modelTokens * rounds : askedTokens,
    units: believedUnits(target, options),
  };
}

/** The limits of a request to an embedding model. */
export function embeddingUsageLimits({ maxInputTokens }: { readonly maxInputTokens: number }): UsageLimits {
  return { inputTokens: maxInputTokens + hiddenPromptTokens, outputTokens: 0, answerTokens: 0, units: {} };
}

/** The report without the halves, parts and uses that are beyond the limits; the same one when all are within. */
export function withinLimits(usage: ReportedUsage, limits: UsageLimits): ReportedUsage {
  const { input, output, parts = [], units = {} } = usage;
  const inputTokens = countOf(input, inputTokenClasses);
  const outputTokens = countOf(output, outputTokenClasses);
  // What was thought and what was read are no part of the length that was asked for.
  const answerTokens = outputTokens - (output?.reasoning ?? 0) - (output?.citation ?? 0);
  const isInputBeyond = inputTokens > limits.inputTokens;
  const isOutputBeyond = outputTokens > limits.outputTokens || answerTokens > limits.answerTokens;
  const partTokens = parts.reduce((sum, { tokens }) => sum + countTokens(tokens), 0);
  const arePartsBeyond = partTokens > limits.inputTokens + limits.outputTokens;
  const usesBeyond = usageUnits.filter((unit) => (units[unit] ?? 0) > (limits.units[unit] ?? 0));
  if (!isInputBeyond && !isOutputBeyond && !arePartsBeyond && usesBeyond.length === 0) return usage;
  const beyond = (what: string, tokens: number, limit: number): string =>
    `${what} of ${tokens} tokens is more than the request can have caused (${limit})`;
  const { parts: _parts, units: _units, ...rest } = usage;
  return {
    ...rest,
    input: isInputBeyond ? undefined : input,
    output: isOutputBeyond ? undefined : output,
    ...(arePartsBeyond || usage.parts === undefined ? {} : { parts }),
    ...(usage.units === undefined ? {} : { units: withoutUnits(units, usesBeyond) }),
    faults: [
      ...usage.faults,
      ...(isInputBeyond ? [beyond('input', inputTokens, limits.inputTokens)] : []),
      ...(isOutputBeyond
        ? [beyond('output', outputTokens, Math.min(limits.outputTokens, limits.answerTokens))]
        : []),
      ...(arePartsBeyond
        ? [beyond('other models', partTokens, limits.inputTokens + limits.outputTokens)]
        : []),
      ...usesBeyond.map(
        (unit) =>
          `${unit} of ${units[unit] ?? 0} is more than the request can have caused (${limits.units[unit] ?? 0})`,
      ),
    ],
  };
}

function withoutUnits(units: UnitCounts, beyond: readonly UsageUnit[]): UnitCounts {
  return Object.fromEntries(Object.entries(units).filter(([unit]) => !beyond.includes(unit as UsageUnit)));
}

function countOf(counts: ReportedUsage['input'], classes: typeof inputTokenClasses): number {
  return counts === undefined ? 0 : countTokens(counts, classes);
}

/** Whether the provider may go through its context several times. */
function hasRounds({ tools, providerOptions }: LanguageModelV4CallOptions): boolean {
  if (tools?.some(({ type }) => type === 'provider') === true) return true;
  return Object.values(providerOptions ?? {}).some(
    (provider) =>
      provider['contextManagement'] !== undefined ||
      provider['mcpServers'] !== undefined ||
      provider['container'] !== undefined,
  );
}

/** Whether the input has parts whose size the request does not show. */
function readsElsewhere({ prompt, providerOptions }: LanguageModelV4CallOptions): boolean {
  const isContinued = Object.values(providerOptions ?? {}).some(
    (provider) =>
      provider['previousResponseId'] !== undefined ||
      provider['conversation'] !== undefined ||
      provider['cachedContent'] !== undefined ||
      provider['prompt'] !== undefined,
  );
  return isContinued || hasOpenParts(prompt);
}

function hasOpenParts(prompt: LanguageModelV4Prompt): boolean {
  return prompt.some(
    ({ content }) =>
      typeof content !== 'string' &&
      content.some(({ type }) => type !== 'text' && type !== 'tool-call' && type !== 'tool-result'),
  );
}

/** Several answers to one request, where a provider's options ask for them. */
function choicesOf({ providerOptions }: LanguageModelV4CallOptions): number {
  const asked = Object.values(providerOptions ?? {}).map(({ n }) => (typeof n === 'number' ? n : 1));
  return Math.min(Math.max(1, ...asked.filter((count) => Number.isInteger(count))), 128);
}
