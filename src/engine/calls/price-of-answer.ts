import type { Usd } from '../../kernel/money.ts';
import type { PriceQuestion, Pricer, Pricing } from '../../pricing/price.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';

export interface AnswerToPrice {
  /** All but the model. */
  readonly question: Omit<PriceQuestion, 'model'>;
  readonly asked: string;
  /** As the provider named it. */
  readonly answered: string;
  /** The most that the request can cost; undefined when no price of what was asked for is known. */
  readonly boundUsd: Usd | undefined;
}

/**
 * Prices an answer by the model that the provider says has given it. By the one that was asked for when no price knows the
 * other's name; and when the other's price is above all that the request can cost, which is not believed (decision 0034).
 */
export function priceOfAnswer(
  pricer: Pricer,
  { question, asked, answered, boundUsd }: AnswerToPrice,
  tokens: TokenCounts,
): Pricing & { readonly isBelieved: boolean } {
  const isWithin = (pricing: Pricing): boolean =>
    pricing.kind === 'priced' && (boundUsd === undefined || !pricing.cost.total.greaterThan(boundUsd));
  const told = pricer.price({ ...question, model: answered }, tokens);
  if (answered === asked || isWithin(told)) return { ...told, isBelieved: true };
  const own = pricer.price({ ...question, model: asked }, tokens);
  if (told.kind === 'unpriced') return { ...(own.kind === 'priced' ? own : told), isBelieved: true };
  return isWithin(own) ? { ...own, isBelieved: false } : { ...told, isBelieved: true };
}
