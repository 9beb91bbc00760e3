import { addUsd, isStorableUsd, moneyScale, type Usd, usd, zeroUsd } from '../../kernel/money.ts';
import { isOtherNameOf } from '../../pricing/model-match.ts';
import { saysWhatItCharged } from '../../pricing/provider-names.ts';
import type { PriceQuestion, Pricer, Pricing, UsageBeside } from '../../pricing/price.ts';
import { isFreeModel } from '../../pricing/whole-cost.ts';
import {
  type RatedCounts,
  storedCounts,
  type TokenClass,
  type TokenCounts,
} from '../../pricing/token-classes.ts';

export interface AnswerToPrice {
  /** All but the model. */
  readonly question: Omit<PriceQuestion, 'model'>;
  readonly asked: string;
  /** As the provider named it. */
  readonly answered: string;
  /** The most that the request can cost; undefined when no price of what was asked for is known. */
  readonly boundUsd: Usd | undefined;
}

/** What an answer cost, and whether the provider's word on its model and its charge is believed. */
type AnswerPricing = Pricing & {
  readonly isBelieved: boolean;
  /** What is wrong with the charge that the provider reported. */
  readonly fault?: string;
};

/**
 * What an aggregator may charge beside its list price (tools that ran there), over all that the request can cost at list
 * prices; in all where no list price is known. Beyond that its word is not believed, and the list price is booked, if any.
 */
const mostBesideList = usd('10');

/**
 * Prices an answer by the model that the provider says has given it. By the one that was asked for when no price knows the
 * other's name and it is one of the same model (a snapshot of it, a path before it), else it is unpriced; and when the other's
 * price is above all that the request can cost, which is not believed (decision 0034).
 */
export function priceOfAnswer(
  pricer: Pricer,
  answer: AnswerToPrice,
  tokens: RatedCounts,
  beside: UsageBeside = {},
): AnswerPricing {
  const { question, asked, answered, boundUsd } = answer;
  const { chargedUsd, ...used } = beside;
  if (chargedUsd !== undefined && saysWhatItCharged(question.provider)) {
    const isBelieved = isPossibleCharge(chargedUsd, boundUsd);
    const model = chargedUsd.isZero() && isFreeModel(asked) ? asked : answered;
    if (isBelieved && (!chargedUsd.isZero() || isFreeModel(model))) {
      return { ...pricer.price({ ...question, model }, tokens, beside), isBelieved };
    }
    const listed = priceOfAnswer(pricer, answer, tokens, used);
    if (isBelieved) return listed;
    const fault = `a charge of ${chargedUsd.toString()} US dollars is more than the request can have caused`;
    return { ...listed, isBelieved, fault };
  }
  const isWithin = (pricing: Pricing): boolean =>
    pricing.kind === 'priced' && (boundUsd === undefined || !pricing.cost.total.greaterThan(boundUsd));
  const told = pricer.price({ ...question, model: answered }, tokens, used);
  if (answered === asked || isWithin(told)) return { ...told, isBelieved: true };
  const own = pricer.price({ ...question, model: asked }, tokens, used);
  if (told.kind === 'unpriced') {
    const isSame = own.kind === 'priced' && isOtherNameOf(answered, asked);
    return { ...(isSame ? own : told), isBelieved: true };
  }
  return isWithin(own) ? { ...own, isBelieved: false } : { ...told, isBelieved: true };
}

function isPossibleCharge(chargedUsd: Usd, boundUsd: Usd = zeroUsd): boolean {
  return (
    isStorableUsd(chargedUsd.toDecimalPlaces(moneyScale)) &&
    !chargedUsd.greaterThan(addUsd(boundUsd, mostBesideList))
  );
}

/** Every token of a call by the class that it is stored in, those of other models that took part among them. */
export function tokensOfCall(own: RatedCounts, { parts = [] }: UsageBeside): TokenCounts {
  const sum: Partial<Record<TokenClass, number>> = { ...storedCounts(own) };
  for (const { tokens } of parts) {
    for (const [name, count] of Object.entries(storedCounts(tokens)) as [TokenClass, number][]) {
      sum[name] = (sum[name] ?? 0) + count;
    }
  }
  return sum;
}
