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
  validityAround,
} from './catalogue.ts';
import { matchesRule, withDashedDate } from './model-match.ts';
import type { Rate } from './price.ts';
import { type TokenClass, tokenClasses } from './token-classes.ts';

/*
 * The list prices of the genai-prices package. Only its data is used: its arithmetic is float. A number of
 * it is read by its decimal text. Of a model's dated and timed prices the last one whose condition holds
 * is in force, as the package defines it. It knows neither tiers nor batch mode, so it answers for the
 * default tier only; a model whose price names no rate at all has no offer, for that may mean free or unknown.
 */

interface ListedModel {
  readonly provider: Provider;
  readonly model: ModelInfo;
}

const rateKeys: Readonly<Record<TokenClass, string>> = {
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
};

const dayMs = 86_400_000;

/** The packaged catalogue: list prices with their effective dates and daily windows. */
export class GenaiPricesCatalogue implements Catalogue {
  readonly name = `genai-prices@${installedVersion()}`;

  /** Whether prices of a provider of this id are listed. */
  hasProvider(id: string): boolean {
    return getProvider(id) !== undefined;
  }

  find(lookup: PriceLookup): CatalogueEntry {
    if (lookup.tier !== 'default' || lookup.batch) return { validity: always };
    const listed = findModel(lookup.follows, lookup.model);
    if (!listed) return { validity: always };
    const conditional = conditionalPrices(listed.model);
    const inForce = priceInForce(conditional, lookup.at);
    const validity = validityAround(lookup.at, momentsOfChange(conditional, lookup.at));
    if (!inForce) return { validity };
    const rates = readRates(inForce.prices);
    const usdPerRequest = readRequestFee(inForce.prices);
    if (Object.keys(rates).length === 0 && !usdPerRequest) return { validity };
    const reference = `${this.name}:${listed.provider.id}/${listed.model.id}@${conditionName(inForce)}`;
    return {
      offer: { kind: 'price', reference, rates, ...(usdPerRequest ? { usdPerRequest } : {}) },
      validity,
    };
  }

  limits(lookup: Pick<PriceLookup, 'follows' | 'model'>): ModelTokenSizes {
    const contextTokens = findModel(lookup.follows, lookup.model)?.model.context_window;
    return contextTokens === undefined ? {} : { contextTokens };
  }
}

/** By exact id only: the package would also guess by parts of a name, and a wrong price is worse than none. */
function getProvider(id: string): Provider | undefined {
  const provider = findProvider({ providerId: id });
  return provider?.id === id ? provider : undefined;
}

function findModel(providerId: string, model: string): ListedModel | undefined {
  const provider = getProvider(providerId);
  if (!provider) return undefined;
  return findAmong(provider, model) ?? findAmong(provider, withDashedDate(model));
}

function findAmong(provider: Provider, name: string): ListedModel | undefined {
  const candidates = [provider, ...(provider.fallback_model_providers ?? []).map((id) => getProvider(id))];
  for (const candidate of candidates) {
    const model = candidate?.models.find(({ match }) => matchesRule(match, name));
    if (candidate && model) return { provider: candidate, model };
  }
  return undefined;
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

function readRates(prices: ModelPrice): Partial<Record<TokenClass, Rate>> {
  const rates: Partial<Record<TokenClass, Rate>> = {};
  for (const tokenClass of tokenClasses) {
    const price = prices[rateKeys[tokenClass]];
    if (price !== undefined) rates[tokenClass] = readRate(price);
  }
  return rates;
}

/** Rounds what a division left behind in the data (0.08333333333333334) to the digits that a rate may have. */
function readRate(price: number | TieredPrices): Rate {
  if (typeof price === 'number') return { usdPerMillion: roundRate(usdFromNumber(price)), tiers: [] };
  const tiers = price.tiers
    .toSorted((left, right) => left.start - right.start)
    .map((tier) => ({ aboveInputTokens: tier.start, usdPerMillion: roundRate(usdFromNumber(tier.price)) }));
  return { usdPerMillion: roundRate(usdFromNumber(price.base)), tiers };
}

/** The catalogue states it per thousand requests. */
function readRequestFee(prices: ModelPrice): Usd | undefined {
  const perThousand = prices['requests_kcount'];
  return typeof perThousand === 'number' ? usdFromNumber(perThousand).div(1000) : undefined;
}

/** The package does not export its manifest, so it is read from where the package lies. */
function installedVersion(): string {
  const entry = createRequire(import.meta.url).resolve('@pydantic/genai-prices');
  const manifest: unknown = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8'));
  return z.object({ version: z.string() }).parse(manifest).version;
}
