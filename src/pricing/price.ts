import type { Usd } from '../kernel/money.ts';
import type { RatedCounts, RatedKind, TokenClass } from './token-classes.ts';
import type { UnitCounts, UsageUnit } from './usage-units.ts';

/** What a call must be priced by. */
export interface PriceQuestion {
  /** "openai", "gemini", or a configured OpenAI-compatible endpoint's name. */
  readonly provider: string;
  /** The model as the provider answered it, or as it was asked for when it did not say. */
  readonly model: string;
  /** The time of the call: the price in force then. */
  readonly at: Date;
  /**
   * The service tier that served it, "default" when the provider has none. Every provider's names of the standard tier
   * mean the default, "batch" means batch mode; any other tier has its own price or none.
   */
  readonly tier: string;
  /** Whether it went through the provider's batch endpoint. */
  readonly batch: boolean;
  /** Where it was served, when the provider says so ("us"). Absent or "global": not bound to a place. */
  readonly geography?: string | undefined;
}

/** One kind's rate: a base, and optionally others for calls whose whole input passes a size. */
export interface Rate {
  readonly usdPerMillion: Usd;
  /** Ascending; the last tier whose `aboveInputTokens` the call's input exceeds applies to all its tokens. */
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly usdPerMillion: Usd }[];
}

/** The rates of a price; a kind without one is absent. */
export type Rates = Readonly<Partial<Record<RatedKind, Rate>>>;

/** US dollars for one use, by kind of use. */
export type UnitRates = Readonly<Partial<Record<UsageUnit, Usd>>>;

/** One rule that made a price, in the order in which they apply. */
export interface PriceStep {
  readonly kind: 'base' | 'tier' | 'geography' | 'contract';
  readonly reference: string;
  /** The factor on the rates of the step before; absent for rates of its own. */
  readonly multiplier?: string;
  /** Where the figures are published or agreed: an address with the day it was read, or a contract. */
  readonly source?: string;
}

/** The price that was in force, and where it came from. */
export interface Price {
  /**
   * "<catalogue>:<provider>/<model>@<start date, daily window or 'always'>[+tier][+batch][+geography]", followed by
   * " of <reference>" when it is a multiple of another price. Stable, stored with every usage record.
   */
  readonly reference: string;
  /** "genai-prices@0.1.8", "overlay:<file's digest>" or "packaged-overlay:<digest>". */
  readonly catalogue: string;
  readonly rates: Rates;
  /** A fixed amount for each request, when the contract has one. */
  readonly usdPerRequest?: Usd;
  readonly units?: UnitRates;
  /** The rules that made it; empty when it was not composed by a price book. */
  readonly steps?: readonly PriceStep[];
}

/** What a call cost, exactly: the total is the sum of its classes, its units, its parts and the request fee. */
export interface Cost {
  readonly total: Usd;
  readonly byClass: Readonly<Partial<Record<TokenClass, Usd>>>;
  /** The fixed fee, and what an aggregator charged beside its list price. */
  readonly request: Usd;
  /** Uses of the provider's tools. */
  readonly units?: Usd;
  readonly byUnit?: Readonly<Partial<Record<UsageUnit, Usd>>>;
  /** How often each tool was used, those without a known price among them. */
  readonly uses?: UnitCounts;
  /** What the price list makes of it, when the provider said what it charged and the list knows the model. */
  readonly list?: Usd;
}

/** What another model than the one that answered took part with, at its own price. */
export interface ModelPart {
  readonly model: string;
  readonly tokens: RatedCounts;
}

/** What a call used beside its own tokens, and what the provider says it charged. */
export interface UsageBeside {
  readonly units?: UnitCounts | undefined;
  readonly parts?: readonly ModelPart[] | undefined;
  /** What was charged by the provider's own words: it is the cost, and the list price stands beside it. */
  readonly chargedUsd?: Usd | undefined;
}

/** A part of a call, priced. */
export interface PricedPart extends ModelPart {
  readonly price: Price;
  readonly cost: Cost;
}

/** A priced call, or the plain statement that no price is known. Never zero in its place. */
export type Pricing =
  | {
      readonly kind: 'priced';
      readonly price: Price;
      readonly cost: Cost;
      /** Uses without a known price: the cost is without them. */
      readonly openUnits?: readonly UsageUnit[];
      /** What other models took part with; their costs are in the cost. */
      readonly parts?: readonly PricedPart[];
    }
  | { readonly kind: 'unpriced'; readonly reason: string };

/** The port that the metered model asks. */
export interface Pricer {
  /** Tells one content of its prices from another. */
  readonly version: string;
  /** Prices the tokens at the price in force. `unpriced` when the model or the rate of a used kind is unknown. */
  price(question: PriceQuestion, tokens: RatedCounts, beside?: UsageBeside): Pricing;
  /**
   * An amount the call cannot exceed: the most expensive input rate for every input token, the most expensive output rate
   * for every output token, over the context bands, geographies and tiers that the request can reach, and the given uses
   * of tools. Undefined when no price is known.
   */
  upperBound(
    question: PriceQuestion,
    maxInputTokens: number,
    maxOutputTokens: number,
    maxUnits?: UnitCounts,
  ): Usd | undefined;
  /** The most tokens the model can put out or take in, where the catalogue knows. */
  limits(
    provider: string,
    model: string,
  ): { readonly contextTokens?: number; readonly maxOutputTokens?: number };
}
