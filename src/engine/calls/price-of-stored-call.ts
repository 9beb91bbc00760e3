import { maxUsd } from '../../kernel/money.ts';
import { isOtherNameOf } from '../../pricing/model-match.ts';
import type { Pricer, Pricing, UsageBeside } from '../../pricing/price.ts';
import { type RatedCounts, type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import { partsOfCost, usesOfRow } from '../ledger/cost-parts.ts';
import { usageDetail } from '../ledger/record-detail.ts';
import type { SettledRow } from '../ledger/reprice-ledger.ts';
import { rawUsageOfBody } from '../providers/usage-of-answer.ts';
import { asRecord, type JsonRecord } from '../providers/token-usage.ts';
import { shapeOf, usageInShape, usageShapes } from '../providers/usage-shapes.ts';
import { priceOfAnswer, tokensOfCall } from './price-of-answer.ts';
import type { RepricedCost } from './usage-record-of-call.ts';

/*
 * What a settled call costs by a price book of today: at its own time, in the tier, at the place and by the model of its answer. The row has
 * its tokens by class. Kinds of tokens with rates of their own and other models' parts stand in the provider's own words, which are read
 * again; they are taken where they come to the very counts of the row, and the row's counts otherwise.
 */

/** Why a call keeps what it cost. */
export type UnrepricedReason =
  /** Refused, or never sent: it cost nothing. */
  | 'free'
  /** The provider said what it charged. */
  | 'charged'
  /** An operator said what was billed. */
  | 'billed'
  /** What was told of it is erased. */
  | 'erased'
  /** No price is known, or not of all that it used. */
  | 'no_price';

/** What the call costs now, or why that is not asked. */
export type StoredCallPricing =
  | ({ readonly kind: 'priced'; readonly costDetail: string | undefined } & RepricedCost)
  | { readonly kind: 'kept'; readonly reason: UnrepricedReason };

/** Prices a settled call again. */
export function priceOfStoredCall(
  pricer: Pricer,
  priceProviderOf: (provider: string) => string,
  call: SettledRow,
): StoredCallPricing {
  const reason = reasonToKeep(call);
  if (reason !== undefined) return { kind: 'kept', reason };
  const { pricing, usage } = pricingOfStoredCall(pricer, priceProviderOf, call);
  if (pricing.kind === 'unpriced') return { kind: 'kept', reason: 'no_price' };
  const hasOpenUnits = pricing.openUnits !== undefined;
  const isPricedWhole = call.costUsd !== undefined && call.settlement === 'reported';
  // What was priced whole is not made less known.
  if (hasOpenUnits && isPricedWhole) return { kind: 'kept', reason: 'no_price' };
  const settlement = settlementOf(call, usage, hasOpenUnits);
  const { cost, price } = pricing;
  const bound =
    settlement === 'estimated' && call.upperBoundUsd !== undefined
      ? maxUsd(call.upperBoundUsd, cost.total)
      : undefined;
  return {
    kind: 'priced',
    settlement,
    costUsd: cost.total,
    costParts: partsOfCost(cost, cost.total),
    costDetail: usageDetail(call.tokens, cost),
    upperBoundUsd: bound,
    priceReference: price.reference,
    priceCatalogue: price.catalogue,
  };
}

/** What the present prices make of a call, whatever it is recorded with; and what it used. */
export function pricingOfStoredCall(
  pricer: Pricer,
  priceProviderOf: (provider: string) => string,
  call: SettledRow,
): { readonly pricing: Pricing; readonly usage: UsageOfRow; readonly geography: string | undefined } {
  const raw = rawUsageOf(call.rawUsage);
  const usage = usageOfRow(call, raw);
  const { geography } = rawUsageOfBody({ usage: raw });
  const question = {
    provider: priceProviderOf(call.provider),
    at: call.reservedAt,
    tier: call.tier,
    batch: call.requestKind === 'batch',
    geography,
  };
  const { model: asked } = call;
  const told = call.answeredModel?.trim() ?? '';
  // The word of a suspect call on its model is believed only where it names the model that was asked for.
  const answered = told === '' || (call.isSuspect && !isOtherNameOf(told, asked)) ? asked : told;
  const answer = { question, asked, answered, boundUsd: undefined };
  return { pricing: priceOfAnswer(pricer, answer, usage.tokens, usage.beside), usage, geography };
}

function reasonToKeep(call: SettledRow): UnrepricedReason | undefined {
  const { settlement, priceReference, costUsd } = call;
  if (settlement === 'free') return 'free';
  if (priceReference?.startsWith('charged by ') === true) return 'charged';
  // A bill of nothing is one as well: what has no price has no cost.
  if (costUsd !== undefined && priceReference === undefined) return 'billed';
  return call.isErased ? 'erased' : undefined;
}

/** What a call used, as far as its row and the provider's words tell. */
export interface UsageOfRow {
  readonly tokens: RatedCounts;
  readonly beside: UsageBeside;
  /** Whether the provider reported all of it. */
  readonly isReported: boolean;
}

/** A call that was estimated for a use without a price is not, when the use has one. */
function settlementOf(call: SettledRow, { beside, isReported }: UsageOfRow, hasOpenUnits: boolean) {
  if (hasOpenUnits) return 'estimated';
  const hasUses = Object.keys(beside.units ?? {}).length > 0;
  return call.settlement === 'estimated' && isReported && hasUses ? 'reported' : call.settlement;
}

function usageOfRow(call: SettledRow, raw: JsonRecord): UsageOfRow {
  const stored = usesOfRow(call.costDetail);
  const shapes = [shapeOf(raw), ...usageShapes].filter((shape) => shape !== undefined);
  for (const shape of shapes) {
    const { input, output, faults, units = {}, parts = [] } = usageInShape(shape, raw);
    const tokens = { ...input, ...output };
    if (faults.length > 0 || !isSame(tokensOfCall(tokens, { parts }), call.tokens)) continue;
    const isReported = input !== undefined && output !== undefined && !call.isSuspect;
    const used = Object.keys(stored).length > 0 || call.isSuspect ? stored : units;
    return { tokens, beside: { units: used, parts }, isReported };
  }
  return { tokens: call.tokens, beside: { units: stored }, isReported: false };
}

function rawUsageOf(text: string | undefined): JsonRecord {
  if (text === undefined) return {};
  try {
    return asRecord(JSON.parse(text)) ?? {};
  } catch {
    // What was no JSON was kept as the text that it was.
    return {};
  }
}

function isSame(one: TokenCounts, other: TokenCounts): boolean {
  return tokenClasses.every((name) => (one[name] ?? 0) === (other[name] ?? 0));
}
