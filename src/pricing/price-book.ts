import { scaleRate, type Usd } from '../kernel/money.ts';
import {
  always,
  bothValid,
  type Catalogue,
  type ModelTokenSizes,
  type Offer,
  type PriceLookup,
  type Validity,
} from './catalogue.ts';
import { calculateCost, calculateUpperBound, completeRates } from './cost-calculator.ts';
import { standardTier } from './overlay-content.ts';
import type { Price, Pricer, PriceQuestion, Pricing, Rate } from './price.ts';
import { type TokenClass, tokenClasses, type TokenCounts } from './token-classes.ts';

/*
 * The first catalogue with an offer for provider, model, tier and mode at the time of the call decides. An
 * adjustment applies to the standard price (default tier, not batch) of the catalogues after its own. Classes
 * without a rate are then filled in where providers bill them so.
 *
 * What was found is remembered with the span of time in which no catalogue consulted would answer otherwise,
 * so that the hot path is one map look-up and the arithmetic, and dates still hold to the millisecond.
 */

export interface PriceBookOptions {
  /** In order of precedence. */
  readonly catalogues: readonly Catalogue[];
  /** Provider → the provider whose list prices it follows, for endpoints that resell or mirror another. */
  readonly aliases?: Readonly<Record<string, string>>;
}

type PriceOffer = Extract<Offer, { kind: 'price' }>;
type Adjustment = Extract<Offer, { kind: 'adjustment' }>;

interface FoundOffer {
  readonly offer?: PriceOffer;
  /** The name of the catalogue that decided. */
  readonly catalogue: string;
  readonly validity: Validity;
}

interface Resolution {
  readonly price?: Price;
  readonly validity: Validity;
}

/** Bounds the memory that model names from outside can take. */
const maxRemembered = 1000;

/** Prices calls by its catalogues. Holds no state but what it remembers of them. */
export class PriceBook implements Pricer {
  readonly #catalogues: readonly Catalogue[];
  readonly #aliases: ReadonlyMap<string, string>;
  readonly #remembered = new Map<string, Resolution>();

  constructor({ catalogues, aliases = {} }: PriceBookOptions) {
    this.#catalogues = catalogues;
    this.#aliases = new Map(
      Object.entries(aliases).map(([provider, follows]) => [provider.toLowerCase(), follows.toLowerCase()]),
    );
  }

  /** The names of its catalogues, in order of precedence. */
  get catalogueNames(): readonly string[] {
    return this.#catalogues.map(({ name }) => name);
  }

  price(question: PriceQuestion, tokens: TokenCounts): Pricing {
    const price = this.findPrice(question);
    if (!price) return { kind: 'unpriced', reason: `no price for ${nameOf(question)}` };
    const result = calculateCost(price, tokens);
    if ('cost' in result) return { kind: 'priced', price, cost: result.cost };
    return { kind: 'unpriced', reason: `no rate for ${result.missing.join(', ')} of ${nameOf(question)}` };
  }

  upperBound(question: PriceQuestion, maxInputTokens: number, maxOutputTokens: number): Usd | undefined {
    const price = this.findPrice(question);
    return price && calculateUpperBound(price, maxInputTokens, maxOutputTokens);
  }

  limits(provider: string, model: string): ModelTokenSizes {
    const subject = this.#subject(provider, model);
    return this.#catalogues.reduceRight<ModelTokenSizes>(
      (known, next) => ({ ...known, ...next.limits(subject) }),
      {},
    );
  }

  /** The price in force for the question, with every class it can bill. Undefined when none is known. */
  findPrice(question: PriceQuestion): Price | undefined {
    const key = `${question.provider}\n${question.model}\n${question.tier}\n${question.batch ? 1 : 0}`;
    const atMs = question.at.getTime();
    const remembered = this.#remembered.get(key);
    if (remembered && remembered.validity.fromMs <= atMs && atMs < remembered.validity.untilMs)
      return remembered.price;
    const resolution = this.#resolve(this.#lookup(question));
    this.#remember(key, resolution);
    return resolution.price;
  }

  #subject(provider: string, model: string): Pick<PriceLookup, 'provider' | 'follows' | 'model'> {
    const name = provider.toLowerCase();
    return { provider: name, follows: this.#aliases.get(name) ?? name, model: model.trim().toLowerCase() };
  }

  #lookup({ provider, model, at, tier, batch }: PriceQuestion): PriceLookup {
    const isBatchTier = tier === 'batch';
    return {
      ...this.#subject(provider, model),
      at,
      tier: isBatchTier ? 'default' : standardTier(tier.toLowerCase()),
      batch: batch || isBatchTier,
    };
  }

  #resolve(lookup: PriceLookup): Resolution {
    const { offer, catalogue, validity } = this.#find(lookup, this.#catalogues);
    if (!offer) return { validity };
    const { reference, usdPerRequest } = offer;
    const rates = completeRates(offer.rates);
    return { price: { reference, catalogue, rates, ...(usdPerRequest ? { usdPerRequest } : {}) }, validity };
  }

  #find(lookup: PriceLookup, catalogues: readonly Catalogue[]): FoundOffer {
    let validity = always;
    for (const [index, catalogue] of catalogues.entries()) {
      const finding = catalogue.find(lookup);
      validity = bothValid(validity, finding.validity);
      if (!finding.offer) continue;
      if (finding.offer.kind === 'price')
        return { offer: finding.offer, catalogue: catalogue.name, validity };
      const standard = this.#find({ ...lookup, tier: 'default', batch: false }, catalogues.slice(index + 1));
      validity = bothValid(validity, standard.validity);
      if (!standard.offer) break;
      return { offer: adjust(standard.offer, finding.offer), catalogue: catalogue.name, validity };
    }
    return { catalogue: '', validity };
  }

  #remember(key: string, resolution: Resolution): void {
    if (this.#remembered.size >= maxRemembered && !this.#remembered.has(key)) {
      const oldest = this.#remembered.keys().next();
      if (!oldest.done) this.#remembered.delete(oldest.value);
    }
    this.#remembered.set(key, resolution);
  }
}

/** The standard price with its rates multiplied; a request fee stays as it is unless the adjustment names one. */
function adjust(standard: PriceOffer, adjustment: Adjustment): PriceOffer {
  const rates: Partial<Record<TokenClass, Rate>> = {};
  for (const tokenClass of tokenClasses) {
    const rate = standard.rates[tokenClass];
    if (rate && !adjustment.without.includes(tokenClass))
      rates[tokenClass] = multiply(rate, adjustment.multiplier);
  }
  const usdPerRequest = adjustment.usdPerRequest ?? standard.usdPerRequest;
  return {
    kind: 'price',
    reference: `${adjustment.reference} of ${standard.reference}`,
    rates: { ...rates, ...adjustment.rates },
    ...(usdPerRequest ? { usdPerRequest } : {}),
  };
}

function multiply(rate: Rate, multiplier: string): Rate {
  return {
    usdPerMillion: scaleRate(rate.usdPerMillion, multiplier),
    tiers: rate.tiers.map((tier) => ({ ...tier, usdPerMillion: scaleRate(tier.usdPerMillion, multiplier) })),
  };
}

function nameOf({ provider, model, tier, batch }: PriceQuestion): string {
  const mode = [
    standardTier(tier) === 'default' ? '' : ` in tier ${tier}`,
    batch ? ' in batch mode' : '',
  ].join('');
  return `${provider}/${model}${mode}`;
}
