import type { Settlement } from '../ledger/call-ledger.ts';
import type { UsageBeside } from '../../pricing/price.ts';
import { countTokens, type RatedCounts } from '../../pricing/token-classes.ts';
import type { CascadeEnd } from './cascade-rule.ts';
import type { ModelFailure } from '../providers/classify-model-error.ts';
import type { ResponseHeaders } from '../providers/retry-after.ts';
import { type JsonRecord, noUsage, type ReportedUsage } from '../providers/token-usage.ts';
import { type UsageLimits, withinLimits } from '../providers/usage-limits.ts';

/** Everything that came back about a call. */
export interface CallReport {
  /** Undefined for an answer that is whole. */
  readonly failure: ModelFailure | undefined;
  readonly usage: ReportedUsage;
  /** The provider's usage block as it came. */
  readonly rawUsage: JsonRecord | undefined;
  readonly answeredModel: string | undefined;
  /** The tier that served it; undefined when the provider does not say. */
  readonly tier: string | undefined;
  /** Where it was served; undefined when the provider does not say. */
  readonly geography?: string | undefined;
  readonly providerRequestId: string | undefined;
  /** The response headers; undefined when no answer had begun. */
  readonly headers: ResponseHeaders | undefined;
  /** Encodes the answer to keep; only of a whole one. It may throw: such an answer is not kept. */
  readonly answer: (() => string) | undefined;
  /** The answer is whole and of no use: it is waste, and never given again. */
  readonly isInvalidOutput?: boolean;
  /** What became of the answer in a cascade. */
  readonly cascade?: CascadeEnd | undefined;
  /** Counts what the provider did not report. Absent when no answer had begun, so that there is nothing to count. */
  readonly count: TokenCounter | undefined;
}

/** Counts the tokens of a request, and of as much of the answer as came. */
export interface TokenCounter {
  countInput(): Promise<number>;
  countOutput(): Promise<number>;
}

/** The usage of a call, and how it is known. */
export interface MeasuredUsage {
  readonly settlement: Settlement;
  /** The call's own; `beside` has what came on top of them. */
  readonly tokens: RatedCounts;
  readonly beside: UsageBeside;
  /** The provider reported more than the request can have caused. */
  readonly isSuspect: boolean;
  /** What is wrong with the report. */
  readonly faults: readonly string[];
}

/**
 * The usage to charge: as the provider reported it, else counted, else none. What is reported beyond the limits is
 * suspect and as if missing, and so is a report of nothing at all for an answer that came. Free when the request was
 * refused or never left; unsettled when it may have been billed and there is nothing to count.
 */
export async function measureUsage(
  { failure, usage, count }: CallReport,
  limits: UsageLimits,
): Promise<MeasuredUsage> {
  const plausible = withinLimits(usage, limits);
  const isSuspect = plausible !== usage;
  const { units, parts, chargedUsd } = plausible;
  const known = { isSuspect, faults: plausible.faults, beside: { units, parts, chargedUsd } };
  const { input, output } =
    isOfNothing(plausible, count) || (isSuspect && count === undefined) ? noUsage : plausible;
  if (input === undefined && output === undefined) {
    if (failure?.billing === 'free') return { settlement: 'free', tokens: {}, ...known };
    if (count === undefined) return { settlement: 'unsettled', tokens: {}, ...known };
  }
  if (input !== undefined && output !== undefined) {
    const settlement = plausible.faults.length === 0 ? 'reported' : 'estimated';
    return { settlement, tokens: { ...input, ...output }, ...known };
  }
  return {
    settlement: 'estimated',
    tokens: {
      ...(input ?? { uncached_input: (await count?.countInput()) ?? 0 }),
      ...(output ?? { text_output: (await count?.countOutput()) ?? 0 }),
    },
    ...known,
  };
}

/** A report of 0 tokens for an answer that has something to count. */
function isOfNothing({ input, output }: ReportedUsage, count: TokenCounter | undefined): boolean {
  return count !== undefined && countTokens({ ...input, ...output }) === 0;
}

/** The report of a call that failed before any part of an answer could be read. */
export function reportOfFailure(failure: ModelFailure, usage: ReportedUsage = noUsage): CallReport {
  return {
    failure,
    usage,
    rawUsage: failure.usage,
    answeredModel: undefined,
    tier: undefined,
    providerRequestId: providerRequestIdOf(failure.headers),
    headers: failure.headers,
    answer: undefined,
    count: undefined,
  };
}

/** The provider's own name of the request, for support cases: in the header of OpenAI and many others, of Anthropic, AWS, Azure. */
export function providerRequestIdOf(headers: ResponseHeaders | undefined): string | undefined {
  return requestIdHeaders.map((name) => headers?.[name]).find((id) => id !== undefined);
}

const requestIdHeaders = ['x-request-id', 'request-id', 'x-amzn-requestid', 'apim-request-id'];
