import type { SettledCall } from '../../../engine/ledger/settlement.ts';
import { priceOfAnswer, tokensOfCall } from '../../../engine/calls/price-of-answer.ts';
import { chargedUsd } from '../../../engine/providers/usage-counts.ts';
import { noUsage, type ReportedUsage } from '../../../engine/providers/token-usage.ts';
import { shapeOf, usageInShape } from '../../../engine/providers/usage-shapes.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { zeroUsd } from '../../../kernel/money.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../../../pricing/token-classes.ts';
import { areCountsPossible, usageBlockProblem, type UsageData } from './usage-event.ts';

/*
 * What a call that happened elsewhere used, and what that cost by the price book at its time. The usage block is read by the same readers as that of an own call. There
 * is no request to hold a report against: only what no request can cause is refused.
 */

/** The end of the call, priced. Throws MILLRACE_REQUEST_INVALID for usage that cannot be read or cannot be. */
export function pricedUsage(
  pricer: Pricer,
  data: UsageData,
  sentAt: Date,
): Omit<SettledCall, 'id' | 'state' | 'answer'> {
  const usage = readUsage(data);
  const counts = { ...usage.input, ...usage.output };
  const parts = (usage.parts ?? []).reduce((sum, { tokens }) => sum + countTokens(tokens), 0);
  if (
    !areCountsPossible(
      countTokens(counts, inputTokenClasses) + parts,
      countTokens(counts, outputTokenClasses),
    )
  )
    throw invalidUsage('has more tokens than one call can have');
  const common = {
    outcome: data.outcome,
    errorType: data.errorType,
    answeredModel: data.answeredModel,
    tier: data.tier,
    providerRequestId: data.responseId,
    rawUsage: rawUsageOf(data),
    upperBoundUsd: undefined,
    wasteReason: data.outcome === 'ok' ? undefined : ('failed' as const),
    durationMs: data.durationMs,
    firstChunkMs: undefined,
  };
  if (usage === noUsage)
    return {
      ...common,
      wasteReason: undefined,
      settlement: 'free',
      tokens: {},
      costUsd: zeroUsd,
      priceReference: undefined,
      priceCatalogue: undefined,
    };
  const pricing = priceOfAnswer(
    pricer,
    {
      question: {
        provider: data.provider,
        at: sentAt,
        tier: data.tier,
        batch: data.isBatch,
        geography: data.geography,
      },
      asked: data.model,
      answered: data.answeredModel ?? data.model,
      boundUsd: undefined,
    },
    counts,
    usage,
  );
  const isSound = usage.faults.length === 0 && pricing.isBelieved;
  const hasOpenUnits = pricing.kind === 'priced' && pricing.openUnits !== undefined;
  return {
    ...common,
    settlement: isSound && !hasOpenUnits ? 'reported' : 'estimated',
    isSuspect: !isSound,
    tokens: tokensOfCall(counts, usage),
    costUsd: pricing.kind === 'priced' ? pricing.cost.total : undefined,
    cost: pricing.kind === 'priced' ? pricing.cost : undefined,
    priceReference: pricing.kind === 'priced' ? pricing.price.reference : undefined,
    priceCatalogue: pricing.kind === 'priced' ? pricing.price.catalogue : undefined,
  };
}

function readUsage(data: UsageData): ReportedUsage {
  const { usage: block, tokens, outcome } = data;
  if (tokens !== undefined) {
    const counts = Object.entries(tokens).filter(([, count]) => count !== undefined && count > 0);
    return { input: Object.fromEntries(counts), output: {}, faults: [] };
  }
  if (block === undefined) {
    // Refused before any work: nothing was used.
    if (outcome === 'error') return noUsage;
    throw invalidUsage('is required: the usage block of the provider, or counts under "tokens"');
  }
  const problem = usageBlockProblem(block);
  if (problem !== undefined) throw invalidUsage(problem);
  const shape = shapeOf(block);
  const read = shape === undefined ? noUsage : usageInShape(shape, block);
  if (read.input === undefined && read.output === undefined)
    throw invalidUsage('must be a usage block as OpenAI, Anthropic, Gemini, Bedrock or Cohere report it');
  const charged = shape === 'anthropic' ? undefined : chargedUsd(block);
  return { ...read, ...(charged === undefined ? {} : { chargedUsd: charged }) };
}

/** The block as it came, with what the source thinks it cost. */
function rawUsageOf({ usage, costUsd }: UsageData): string | undefined {
  if (usage === undefined && costUsd === undefined) return undefined;
  if (costUsd === undefined) return JSON.stringify(usage);
  return JSON.stringify({ ...usage, source_cost_usd: costUsd });
}

function invalidUsage(problem: string) {
  return invalidRequest([{ field: 'data.usage', problem }]);
}
