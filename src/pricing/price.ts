import type { Usd } from '../kernel/money.ts';
import type { TokenClass, TokenCounts } from './token-classes.ts';

/** What a call must be priced by. */
export interface PriceQuestion {
  /** "openai", "anthropic", or a configured OpenAI-compatible endpoint's name. */
  readonly provider: string;
  /** The model as the provider answered it, or as it was asked for when it did not say. */
  readonly model: string;
  /** The time of the call: the price in force then. */
  readonly at: Date;
  /**
   * The service tier that served it, "default" when the provider has none. "standard" and "auto" mean the
   * default, "batch" means batch mode; any other tier has its own price or none.
   */
  readonly tier: string;
  /** Whether it went through the provider's batch endpoint. */
  readonly batch: boolean;
}

/** One class's rate: a base, and optionally higher ones for calls whose whole input passes a size. */
export interface Rate {
  readonly usdPerMillion: Usd;
  /** Ascending; the last tier whose `aboveInputTokens` the call's input exceeds applies to all its tokens. */
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly usdPerMillion: Usd }[];
}

/** The price that was in force, and where it came from. */
export interface Price {
  /**
   * "<catalogue>:<provider>/<model>@<start date, daily window or 'always'>[+tier][+batch]", followed by
   * " of <reference>" when it is a multiple of another price. Stable, stored with every usage record.
   */
  readonly reference: string;
  /** "genai-prices@0.1.8", "overlay:<file's digest>" or "packaged-overlay:<digest>". */
  readonly catalogue: string;
  readonly rates: Readonly<Partial<Record<TokenClass, Rate>>>;
  /** A fixed amount for each request, when the contract has one. */
  readonly usdPerRequest?: Usd;
}

/** What a call cost, exactly: the total is the sum of its classes and the request fee. */
export interface Cost {
  readonly total: Usd;
  readonly byClass: Readonly<Partial<Record<TokenClass, Usd>>>;
  readonly request: Usd;
}

/** A priced call, or the plain statement that no price is known. Never zero in its place. */
export type Pricing =
  | { readonly kind: 'priced'; readonly price: Price; readonly cost: Cost }
  | { readonly kind: 'unpriced'; readonly reason: string };

/** The port that the metered model asks. */
export interface Pricer {
  /** Prices the tokens at the price in force. `unpriced` when the model or the rate of a used class is unknown. */
  price(question: PriceQuestion, tokens: TokenCounts): Pricing;
  /**
   * An amount the call cannot exceed: the highest input rate for every input token, the highest output rate for
   * every output token, at the highest tier that applies. Undefined when no price is known.
   */
  upperBound(question: PriceQuestion, maxInputTokens: number, maxOutputTokens: number): Usd | undefined;
  /** The most tokens the model can put out or take in, where the catalogue knows. */
  limits(
    provider: string,
    model: string,
  ): { readonly contextTokens?: number; readonly maxOutputTokens?: number };
}
