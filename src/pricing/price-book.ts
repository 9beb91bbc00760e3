import { createHash } from 'node:crypto';
import { maxUsd, scaleRate, type Usd } from '../kernel/money.ts';
import {
  always,
  bothValid,
  type Catalogue,
  type Discount,
  type ModelTokenSizes,
  type Offer,
  type PriceLookup,
  type Validity,
} from './catalogue.ts';
import { calculateCost, calculateUpperBound, completeRates } from './cost-calculator.ts';
import type {
  Price,
  Pricer,
  PriceQuestion,
  PriceStep,
  Pricing,
  Rate,
  Rates,
  UnitRates,
  UsageBeside,
} from './price.ts';
import { catalogueProviders, modelOfProvider, priceProviderOf } from './provider-names.ts';
import { geographyOf, isCommitmentTier, tierOf } from './tier-names.ts';
import { type RatedCounts, type RatedKind, ratedKinds } from './token-classes.ts';
import type { UnitCounts } from './usage-units.ts';
import { isFreeModel, pricedCharge, withParts } from './whole-cost.ts';

/*
 * Rules make a price, in this order: the base price of the model with its context bands, the tier or batch mode, the
 * geography, the contract. The first catalogue with an offer for provider, model, tier and mode at the time of the call
 * decides; an adjustment applies to the standard price (default tier, not batch) of the catalogues after its own.
 * A geography multiplies what was found so far, in whatever tier, and a contract's discount multiplies the prices of
 * the catalogues after its own. Kinds without a rate are then filled in where providers bill them so.
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
  /** The name of the catalogue that decided, and its place among the catalogues. */
  readonly catalogue: string;
  readonly index: number;
  readonly steps: readonly PriceStep[];
  readonly validity: Validity;
}

const nothing = { catalogue: '', index: 0, steps: [] };

interface Resolution {
  readonly price?: Price;
  readonly validity: Validity;
}

/** In which tier and place a request may be answered and billed. */
type Way = Pick<PriceQuestion, 'tier' | 'geography'>;

/** Bounds the memory that model names from outside can take. */
const maxRemembered = 1000;

/** Prices calls by its catalogues. Holds no state but what it remembers of them. */
export class PriceBook implements Pricer {
  readonly #catalogues: readonly Catalogue[];
  readonly #aliases: ReadonlyMap<string, string>;
  readonly #remembered = new Map<string, Resolution>();
  readonly #others = new Map<string, readonly Way[]>();

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

  /** Tells one content of the book from another: the first digits of a digest over its catalogues. */
  get version(): string {
    const contents = this.#catalogues.map(({ name, revision = '' }) => `${name}\n${revision}`);
    return createHash('sha256').update(contents.join('\n')).digest('hex').slice(0, 12);
  }

  /** Whether any prices of the provider are known, by its own or by a natural name. */
  hasPricesOf(name: string): boolean {
    const { provider, follows } = this.#subject(name, '');
    return this.#catalogues.some((catalogue) =>
      [provider, follows].some((id) => catalogue.hasProvider?.(id) ?? true),
    );
  }

  price(question: PriceQuestion, tokens: RatedCounts, beside: UsageBeside = {}): Pricing {
    const own = this.#priceOf(question, tokens, beside.units ?? {});
    const whole = withParts(
      own,
      (beside.parts ?? []).map((part) => ({
        part,
        pricing: this.#priceOf({ ...question, model: part.model }, part.tokens, {}),
      })),
    );
    const { chargedUsd } = beside;
    // Nothing charged is no charge: an account of one's own may pay. Only what is free by its name costs nothing.
    if (chargedUsd === undefined || (chargedUsd.isZero() && !isFreeModel(question.model))) return whole;
    return pricedCharge(whole, chargedUsd, question.provider.toLowerCase());
  }

  upperBound(
    question: PriceQuestion,
    maxInputTokens: number,
    maxOutputTokens: number,
    maxUnits: UnitCounts = {},
  ): Usd | undefined {
    const boundAt = (price: Price): Usd | undefined =>
      calculateUpperBound(price, maxInputTokens, maxOutputTokens, maxUnits);
    const asked = this.findPrice(question);
    let bound = asked && boundAt(asked);
    // Without a price of what was asked for there is no bound, whatever the others cost.
    if (bound === undefined) return undefined;
    for (const other of this.#othersOf(question)) {
      const price = this.findPrice({ ...question, ...other });
      const amount = price && boundAt(price);
      if (amount !== undefined) bound = maxUsd(bound, amount);
    }
    return bound;
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
    const key = keyOf(question);
    const atMs = question.at.getTime();
    const remembered = this.#remembered.get(key);
    if (remembered && remembered.validity.fromMs <= atMs && atMs < remembered.validity.untilMs)
      return remembered.price;
    const resolution = this.#resolve(this.#lookup(question));
    remember(this.#remembered, key, resolution);
    return resolution.price;
  }

  #priceOf(question: PriceQuestion, tokens: RatedCounts, units: UnitCounts): Pricing {
    const price = this.findPrice(question);
    if (!price) return { kind: 'unpriced', reason: this.#reasonOf(question) };
    const result = calculateCost(price, tokens, units);
    if ('missing' in result)
      return { kind: 'unpriced', reason: `no rate for ${result.missing.join(', ')} of ${nameOf(question)}` };
    const { cost, openUnits } = result;
    return { kind: 'priced', price, cost, ...(openUnits.length === 0 ? {} : { openUnits }) };
  }

  #reasonOf(question: PriceQuestion): string {
    return this.hasPricesOf(question.provider)
      ? `no price for ${nameOf(question)}`
      : `no prices of a provider "${question.provider}"; there are prices of ${catalogueProviders.join(', ')}`;
  }

  /** What else may come of the request than was asked for. It depends on no time, and is remembered. */
  #othersOf(question: PriceQuestion): readonly Way[] {
    const key = keyOf(question);
    const remembered = this.#others.get(key);
    if (remembered) return remembered;
    const others = this.#findOthers(question);
    remember(this.#others, key, others);
    return others;
  }

  /** The standard tier, and places that were not asked for. */
  #findOthers({ tier: asked, ...question }: PriceQuestion): readonly Way[] {
    const lookup = this.#lookup({ tier: asked, ...question });
    const standard = lookup.tier === 'default' ? [] : ['default'];
    const inNoPlace = standard.map((tier) => ({ tier }));
    if (question.geography !== undefined) return inNoPlace;
    const places = new Set(this.#catalogues.flatMap((catalogue) => catalogue.geographies?.(lookup) ?? []));
    const inPlaces = [...places].flatMap((geography) =>
      [asked, ...standard].map((tier) => ({ tier, geography })),
    );
    return [...inNoPlace, ...inPlaces];
  }

  #subject(provider: string, model: string): Pick<PriceLookup, 'provider' | 'follows' | 'model'> {
    const name = provider.trim().toLowerCase();
    const follows = priceProviderOf(this.#aliases.get(name) ?? name);
    return { provider: name, follows, model: modelOfProvider(follows, model.trim().toLowerCase()) };
  }

  #lookup({ provider, model, at, tier, batch, geography }: PriceQuestion): PriceLookup {
    const subject = this.#subject(provider, model);
    const named = tierOf(tier, subject.follows);
    const isBatchTier = named === 'batch';
    return {
      ...subject,
      at,
      tier: isBatchTier ? 'default' : named,
      batch: batch || isBatchTier,
      geography: geographyOf(geography),
    };
  }

  #resolve(lookup: PriceLookup): Resolution {
    const found = this.#findInPlace(lookup);
    const { rates: units, validity: unitsValidity } = this.#unitsOf(lookup);
    const { discount, validity: discountValidity } = this.#discountOn(found, lookup);
    const validity = [found.validity, unitsValidity, discountValidity].reduce(bothValid);
    if (!found.offer) return { validity };
    const rates = completeRates(found.offer.rates, found.offer.sellsMediaAsText);
    const { reference, usdPerRequest } = found.offer;
    const price = {
      reference,
      catalogue: found.catalogue,
      rates,
      steps: found.steps,
      ...(usdPerRequest ? { usdPerRequest } : {}),
      ...(Object.keys(units).length === 0 ? {} : { units }),
    };
    return { price: discount === undefined ? price : discounted(price, discount), validity };
  }

  /** The price of the tier, and what the place makes of it. */
  #findInPlace(lookup: PriceLookup): FoundOffer {
    if (lookup.geography === 'global') return this.#find(lookup, 0);
    let validity = always;
    for (const [index, catalogue] of this.#catalogues.entries()) {
      const finding = catalogue.find(lookup);
      validity = bothValid(validity, finding.validity);
      const { offer } = finding;
      if (!offer) continue;
      if (offer.kind === 'price')
        return { offer, catalogue: catalogue.name, index, validity, steps: [stepOf('base', offer)] };
      const inTier = this.#find({ ...lookup, geography: 'global' }, 0);
      validity = bothValid(validity, inTier.validity);
      if (!inTier.offer) break;
      return {
        ...inTier,
        offer: adjust(inTier.offer, offer),
        steps: [...inTier.steps, stepOf('geography', offer)],
        validity,
      };
    }
    return { ...nothing, validity };
  }

  #find(lookup: PriceLookup, from: number): FoundOffer {
    let validity = always;
    for (const [offset, catalogue] of this.#catalogues.slice(from).entries()) {
      const index = from + offset;
      const finding = catalogue.find(lookup);
      validity = bothValid(validity, finding.validity);
      const { offer } = finding;
      if (!offer) continue;
      if (offer.kind === 'price')
        return { offer, catalogue: catalogue.name, index, validity, steps: [stepOf('base', offer)] };
      const standard = this.#find({ ...lookup, tier: 'default', batch: false }, index + 1);
      validity = bothValid(validity, standard.validity);
      if (!standard.offer) break;
      return {
        offer: adjust(standard.offer, offer),
        catalogue: catalogue.name,
        index,
        steps: [...standard.steps, stepOf('tier', offer)],
        validity,
      };
    }
    if (!isCommitmentTier(lookup.tier)) return { ...nothing, validity };
    const standard = this.#find({ ...lookup, tier: 'default' }, from);
    return { ...standard, validity: bothValid(validity, standard.validity) };
  }

  /** Uses of tools cost the same in every tier; the first catalogue that has one's price decides. */
  #unitsOf(lookup: PriceLookup): { readonly rates: UnitRates; readonly validity: Validity } {
    let rates: UnitRates = {};
    let validity = always;
    for (const catalogue of this.#catalogues) {
      const known = catalogue.units?.(lookup);
      if (known === undefined) continue;
      rates = { ...known.rates, ...rates };
      validity = bothValid(validity, known.validity);
    }
    return { rates, validity };
  }

  /** The discount of the first catalogue with one. A catalogue's own prices are agreed ones: they have none. */
  #discountOn({ index, offer }: FoundOffer, lookup: PriceLookup) {
    let validity = always;
    for (const [place, catalogue] of this.#catalogues.entries()) {
      const found = catalogue.discount?.(lookup);
      if (found === undefined) continue;
      validity = bothValid(validity, found.validity);
      if (found.discount && offer && index > place) return { discount: found.discount, validity };
    }
    return { discount: undefined, validity };
  }
}

function keyOf({ provider, model, tier, batch, geography }: PriceQuestion): string {
  return `${provider}\n${model}\n${tier}\n${batch ? 1 : 0}\n${geography ?? ''}`;
}

/** Keeps the value; the one that was kept first makes way where there are too many. */
function remember<Value>(values: Map<string, Value>, key: string, value: Value): void {
  if (values.size >= maxRemembered && !values.has(key)) {
    const oldest = values.keys().next();
    if (!oldest.done) values.delete(oldest.value);
  }
  values.set(key, value);
}

/** The price with its rates multiplied; a request fee stays as it is unless the adjustment names one. */
function adjust(standard: PriceOffer, adjustment: Adjustment): PriceOffer {
  const without = new Set<string>(adjustment.without);
  const kept = Object.entries(standard.rates).filter(([kind]) => !without.has(kind));
  const usdPerRequest = adjustment.usdPerRequest ?? standard.usdPerRequest;
  const { sellsMediaAsText } = standard;
  return {
    kind: 'price',
    reference: `${adjustment.reference} of ${standard.reference}`,
    rates: { ...multiplied(Object.fromEntries(kept), adjustment.multiplier), ...adjustment.rates },
    ...(usdPerRequest ? { usdPerRequest } : {}),
    ...(sellsMediaAsText === undefined ? {} : { sellsMediaAsText }),
  };
}

function discounted(price: Price, discount: Discount): Price {
  return {
    ...price,
    reference: `${discount.reference} of ${price.reference}`,
    rates: multiplied(price.rates, discount.multiplier),
    steps: [...(price.steps ?? []), { kind: 'contract', ...discount }],
  };
}

function multiplied(rates: Rates, multiplier: string): Rates {
  const changed: Partial<Record<RatedKind, Rate>> = {};
  for (const kind of ratedKinds) {
    const rate = rates[kind];
    if (rate) changed[kind] = multiply(rate, multiplier);
  }
  return changed;
}

function multiply(rate: Rate, multiplier: string): Rate {
  return {
    usdPerMillion: scaleRate(rate.usdPerMillion, multiplier),
    tiers: rate.tiers.map((tier) => ({ ...tier, usdPerMillion: scaleRate(tier.usdPerMillion, multiplier) })),
  };
}

function stepOf(kind: PriceStep['kind'], offer: Offer): PriceStep {
  return {
    kind,
    reference: offer.reference,
    ...(offer.kind === 'adjustment' ? { multiplier: offer.multiplier } : {}),
    ...(offer.source === undefined ? {} : { source: offer.source }),
  };
}

function nameOf({ provider, model, tier, batch, geography }: PriceQuestion): string {
  const place = geographyOf(geography);
  const mode = [
    tierOf(tier) === 'default' ? '' : ` in tier ${tier}`,
    batch ? ' in batch mode' : '',
    place === 'global' ? '' : ` in ${place}`,
  ].join('');
  return `${provider}/${model}${mode}`;
}
