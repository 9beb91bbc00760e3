import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  type ConditionalPrice,
  findProvider,
  type ModelInfo,
  type ModelPrice,
  type Provider,
  type TieredPrices,
} from '@pydantic/genai-prices';
import { z } from 'zod';
import { roundRate, type Usd, usdFromNumber } from '../kernel/money.ts';
import {
  always,
  type Catalogue,
  type CatalogueEntry,
  type ModelTokenSizes,
  type PriceLookup,
  type Validity,
  validityAround,
} from './catalogue.ts';
import { catalogueCorrections } from './catalogue-corrections.ts';
import type { ListedName, ListingCatalogue } from './catalogue-comparison.ts';
import type { ReadCatalogue } from './catalogue-file.ts';
import { catalogueProviders } from './provider-names.ts';
import { fineTunedBase, isNameOf, withDashedDate } from './model-match.ts';
import type { Rate, Rates, UnitRates } from './price.ts';
import { type RatedKind, ratedKinds } from './token-classes.ts';
import type { UsageUnit } from './usage-units.ts';

/*
 * The list prices of the genai-prices package. Only its data is used: its arithmetic is float. A number of
 * it is read by its decimal text. Of a model's dated and timed prices the last one whose condition holds
 * is in force, as the package defines it. It knows neither tiers nor batch mode, so it answers for the
 * default tier only; a model whose price names no rate at all has no offer, for that may mean free or unknown.
 */

interface ListedModel {
  readonly provider: Provider;
  readonly model: ModelInfo;
  /** The provider that was asked for, when it has no price of its own and this one's stands for it. */
  readonly insteadOf?: string;
}

const rateKeys: Readonly<Record<RatedKind, string>> = {
  uncached_input: 'input_mtok',
  cache_read: 'cache_read_mtok',
  cache_write_5m: 'cache_write_mtok',
  cache_write_1h: 'cache_write_1h_mtok',
  audio_input: 'input_audio_mtok',
  image_input: 'input_image_mtok',
  text_output: 'output_mtok',
  reasoning: 'output_reasoning_mtok',
  audio_output: 'output_audio_mtok',
  image_output: 'output_image_mtok',
  cache_read_audio: 'cache_audio_read_mtok',
  cache_read_image: 'cache_image_read_mtok',
  video_input: 'input_video_mtok',
  video_output: 'output_video_mtok',
  citation: 'output_citation_mtok',
};

/** The catalogue states these per thousand uses. */
const unitKeys: readonly (readonly [UsageUnit, string])[] = [
  ['web_search', 'web_searches_kcount'],
  ['file_search', 'storage_searches_kcount'],
];

/**
 * Providers whose price lists have one input price for text, pictures, sound and video, unless one has its own
 * (https://ai.google.dev/gemini-api/docs/pricing, https://docs.x.ai/docs/models).
 */
const sellMediaAsText: ReadonlySet<string> = new Set(['google', 'x-ai']);

const dayMs = 86_400_000;

/** The packaged catalogue, or another one in its format: list prices with their effective dates and daily windows. */
export class GenaiPricesCatalogue implements ListingCatalogue, Catalogue {
  readonly name: string;
  /** The installed version is corrected. */
  readonly revision = catalogueCorrections
    .map(({ provider, models, listed, published }) => `${provider} ${models.source} ${listed} ${published}`)
    .join('\n');

  readonly #getProvider: GetProvider;
  readonly #ids: readonly string[];

  /** Of a catalogue that was read; the packaged one without it. */
  constructor(read?: ReadCatalogue) {
    this.name = read === undefined ? `genai-prices@${installedVersion()}` : `catalogue:${read.digest}`;
    this.#ids = read === undefined ? catalogueProviders : read.providers.map(({ id }) => id);
    const byId = new Map(read?.providers.map((provider) => [provider.id, provider]));
    this.#getProvider = read === undefined ? packagedProvider : (id) => byId.get(id);
  }

  /** Every model that it lists. */
  get listed(): readonly ListedName[] {
    return this.#ids.flatMap(
      (provider) => this.#getProvider(provider)?.models.map(({ id: model }) => ({ provider, model })) ?? [],
    );
  }

  /** Whether prices of a provider of this id are listed. */
  hasProvider(id: string): boolean {
    return this.#getProvider(id) !== undefined;
  }

  find(lookup: PriceLookup): CatalogueEntry {
    if (lookup.tier !== 'default' || lookup.batch || lookup.geography !== 'global')
      return { validity: always };
    const listed = findModel(this.#getProvider, lookup.follows, lookup.model);
    if (!listed) return { validity: always };
    const { provider, model, insteadOf } = listed;
    const { inForce, validity } = priceAt(model, lookup.at);
    if (!inForce) return { validity };
    const rates = readRates(inForce.prices, provider.id, model.id);
    const usdPerRequest = readPerThousand(inForce.prices, 'requests_kcount');
    if (Object.keys(rates).length === 0 && !usdPerRequest) return { validity };
    const fallback = insteadOf === undefined ? '' : ` for ${insteadOf}, which lists none`;
    const source = provider.pricing_urls?.[0];
    return {
      offer: {
        kind: 'price',
        reference: `${this.name}:${provider.id}/${model.id}@${conditionName(inForce)}${fallback}`,
        rates,
        ...(usdPerRequest ? { usdPerRequest } : {}),
        ...(source === undefined ? {} : { source }),
        ...(sellMediaAsText.has(provider.id) ? { sellsMediaAsText: true } : {}),
      },
      validity,
    };
  }

  units(lookup: PriceLookup): { readonly rates: UnitRates; readonly validity: Validity } {
    const listed = findModel(this.#getProvider, lookup.follows, lookup.model);
    if (!listed) return { rates: {}, validity: always };
    const { inForce, validity } = priceAt(listed.model, lookup.at);
    const rates: Partial<Record<UsageUnit, Usd>> = {};
    for (const [unit, key] of unitKeys) {
      const usdPerUse = inForce && readPerThousand(inForce.prices, key);
      if (usdPerUse) rates[unit] = usdPerUse;
    }
    return { rates, validity };
  }

  limits(lookup: Pick<PriceLookup, 'follows' | 'model'>): ModelTokenSizes {
    const contextTokens = findModel(this.#getProvider, lookup.follows, lookup.model)?.model.context_window;
    return contextTokens === undefined ? {} : { contextTokens };
  }
}

/** By exact id only: the package would also guess by parts of a name, and a wrong price is worse than none. */
function packagedProvider(id: string): Provider | undefined {
  const provider = findProvider({ providerId: id });
  return provider?.id === id ? provider : undefined;
}

type GetProvider = (id: string) => Provider | undefined;

function findModel(getProvider: GetProvider, providerId: string, model: string): ListedModel | undefined {
  const provider = getProvider(providerId);
  // What a fine-tuned model costs stands in full in other catalogues; the rules here would take it for its base.
  if (!provider || fineTunedBase(model) !== undefined) return undefined;
  return findAmong(getProvider, provider, model) ?? findAmong(getProvider, provider, withDashedDate(model));
}

function findAmong(getProvider: GetProvider, provider: Provider, name: string): ListedModel | undefined {
  const own = provider.models.find((model) => isNameOf(model, name));
  if (own) return { provider, model: own };
  for (const id of provider.fallback_model_providers ?? []) {
    const other = getProvider(id);
    const model = other?.models.find((candidate) => isNameOf(candidate, name));
    if (other && model) return { provider: other, model, insteadOf: provider.id };
  }
  return undefined;
}

function priceAt(model: ModelInfo, at: Date) {
  const conditional = conditionalPrices(model);
  return {
    inForce: priceInForce(conditional, at),
    validity: validityAround(at, momentsOfChange(conditional, at)),
  };
}

function conditionalPrices(model: ModelInfo): readonly ConditionalPrice[] {
  return Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
}

function priceInForce(prices: readonly ConditionalPrice[], at: Date): ConditionalPrice | undefined {
  return prices.findLast((price) => conditionHolds(price, at)) ?? prices[0];
}

function conditionHolds({ constraint }: ConditionalPrice, at: Date): boolean {
  if (!constraint) return true;
  if (constraint.type === 'start_date') return at.getTime() >= Date.parse(constraint.start_date);
  const timeMs = at.getTime() - startOfDayMs(at);
  const startMs = timeOfDayMs(constraint.start_time);
  const endMs = timeOfDayMs(constraint.end_time);
  return endMs < startMs ? timeMs >= startMs || timeMs < endMs : timeMs >= startMs && timeMs < endMs;
}

function conditionName({ constraint }: ConditionalPrice): string {
  if (!constraint) return 'always';
  return constraint.type === 'start_date'
    ? constraint.start_date
    : `${constraint.start_time}-${constraint.end_time}`;
}

/** Start dates, and the windows' edges of the day with midnight on both sides, so that a span never exceeds a day. */
function momentsOfChange(prices: readonly ConditionalPrice[], at: Date): number[] {
  const today = startOfDayMs(at);
  return prices.flatMap(({ constraint }) => {
    if (!constraint) return [];
    if (constraint.type === 'start_date') return [Date.parse(constraint.start_date)];
    const edges = [timeOfDayMs(constraint.start_time), timeOfDayMs(constraint.end_time)];
    return [today, today + dayMs, ...edges.map((edge) => today + edge)];
  });
}

function startOfDayMs(at: Date): number {
  return Math.floor(at.getTime() / dayMs) * dayMs;
}

/** "16:30:00Z": milliseconds since midnight UTC. */
function timeOfDayMs(text: string): number {
  return Date.parse(`1970-01-01T${text}`);
}

function readRates(prices: ModelPrice, provider: string, model: string): Rates {
  const rates: Partial<Record<RatedKind, Rate>> = {};
  for (const kind of ratedKinds) {
    const price = prices[rateKeys[kind]];
    if (price !== undefined) rates[kind] = readRate(price, bandOf(provider, model));
  }
  return rates;
}

/** The context size that the catalogue has for a band of the model, as the provider states it. */
function bandOf(provider: string, model: string): (listed: number) => number {
  const corrections = catalogueCorrections.filter(
    (correction) => correction.provider === provider && correction.models.test(model),
  );
  return (listed) => corrections.find((correction) => correction.listed === listed)?.published ?? listed;
}

/** Rounds what a division left behind in the data (0.08333333333333334) to the digits that a rate may have. */
function readRate(price: number | TieredPrices, bandAt: (listed: number) => number): Rate {
  if (typeof price === 'number') return { usdPerMillion: roundRate(usdFromNumber(price)), tiers: [] };
  const tiers = price.tiers
    .toSorted((left, right) => left.start - right.start)
    .map((tier) => ({
      aboveInputTokens: bandAt(tier.start),
      usdPerMillion: roundRate(usdFromNumber(tier.price)),
    }));
  return { usdPerMillion: roundRate(usdFromNumber(price.base)), tiers };
}

/** An amount that the catalogue states per thousand. */
function readPerThousand(prices: ModelPrice, key: string): Usd | undefined {
  const perThousand = prices[key];
  return typeof perThousand === 'number' ? usdFromNumber(perThousand).div(1000) : undefined;
}

/** The package does not export its manifest, so it is read from where the package lies. */
function installedVersion(): string {
  const entry = createRequire(import.meta.url).resolve('@pydantic/genai-prices');
  const manifest: unknown = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8'));
  return z.object({ version: z.string() }).parse(manifest).version;
}
