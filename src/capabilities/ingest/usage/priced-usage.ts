import type { CallOutcome, SettledCall } from '../../../engine/ledger/settlement.ts';
import { priceOfAnswer, tokensOfCall } from '../../../engine/calls/price-of-answer.ts';
import type { ReportedUsage } from '../../../engine/providers/token-usage.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { zeroUsd } from '../../../kernel/money.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../../../pricing/token-classes.ts';

/*
 * What a call that happened elsewhere cost by the price book at its time. There is no request to hold a report against: only what no request can cause is
 * refused.
 */

/** What is told of a call, beside its usage. */
export interface ToldFacts {
  readonly provider: string;
  readonly model: string;
  readonly answeredModel: string | undefined;
  readonly responseId: string | undefined;
  readonly tier: string;
  readonly geography: string | undefined;
  readonly isBatch: boolean;
  readonly outcome: Extract<CallOutcome, 'ok' | 'error' | 'cancelled'>;
  readonly errorType: string | undefined;
  readonly durationMs: number;
  readonly rawUsage: string | undefined;
}

/** More than any model takes in, or gives, in all rounds of one request: such a count is no report. */
const maxInputTokens = 16_000_000;
const maxOutputTokens = 2_048_000;

/** The end of the call, priced; without usage nothing was used. Throws MILLRACE_REQUEST_INVALID for counts that no call can have. */
export function pricedUsage(
  pricer: Pricer,
  facts: ToldFacts,
  usage: ReportedUsage | undefined,
  sentAt: Date,
): Omit<SettledCall, 'id' | 'state' | 'answer'> {
  const common = {
    outcome: facts.outcome,
    errorType: facts.errorType,
    answeredModel: facts.answeredModel,
    tier: facts.tier,
    providerRequestId: facts.responseId,
    rawUsage: facts.rawUsage,
    upperBoundUsd: undefined,
    durationMs: facts.durationMs,
    firstChunkMs: undefined,
  };
  if (usage === undefined)
    return {
      ...common,
      wasteReason: undefined,
      settlement: 'free',
      tokens: {},
      costUsd: zeroUsd,
      priceReference: undefined,
      priceCatalogue: undefined,
    };
  const counts = { ...usage.input, ...usage.output };
  requirePossible(usage, counts);
  const pricing = priceOfAnswer(
    pricer,
    {
      question: {
        provider: facts.provider,
        at: sentAt,
        tier: facts.tier,
        batch: facts.isBatch,
        geography: facts.geography,
      },
      asked: facts.model,
      answered: facts.answeredModel ?? facts.model,
      boundUsd: undefined,
    },
    counts,
    usage,
  );
  const isSound = usage.faults.length === 0 && pricing.isBelieved;
  const hasOpenUnits = pricing.kind === 'priced' && pricing.openUnits !== undefined;
  return {
    ...common,
    wasteReason: facts.outcome === 'ok' ? undefined : 'failed',
    settlement: isSound && !hasOpenUnits ? 'reported' : 'estimated',
    isSuspect: !isSound,
    tokens: tokensOfCall(counts, usage),
    costUsd: pricing.kind === 'priced' ? pricing.cost.total : undefined,
    cost: pricing.kind === 'priced' ? pricing.cost : undefined,
    priceReference: pricing.kind === 'priced' ? pricing.price.reference : undefined,
    priceCatalogue: pricing.kind === 'priced' ? pricing.price.catalogue : undefined,
  };
}

function requirePossible({ parts = [] }: ReportedUsage, counts: ReportedUsage['input'] & object): void {
  const beside = parts.reduce((sum, { tokens }) => sum + countTokens(tokens), 0);
  const input = countTokens(counts, inputTokenClasses) + beside;
  if (input <= maxInputTokens && countTokens(counts, outputTokenClasses) <= maxOutputTokens) return;
  throw invalidRequest([
    { field: 'data.usage', problem: 'must not have more tokens than one call can have' },
  ]);
}
