import { calcPrice, findProvider } from '@pydantic/genai-prices';
import { describe, expect, it } from 'vitest';
import type { PriceLookup } from './catalogue.ts';
import { GenaiPricesCatalogue } from './catalogue.genai-prices.ts';
import { fineTunedBase } from './model-match.ts';
import { PriceBook } from './price-book.ts';

const catalogue = new GenaiPricesCatalogue();

function lookup(follows: string, model: string, at = '2026-10-01T12:00:00Z'): PriceLookup {
  return {
    provider: follows,
    follows,
    model,
    at: new Date(at),
    tier: 'default',
    batch: false,
    geography: 'global',
  };
}

function rateText(
  found: PriceLookup,
  tokenClass: 'uncached_input' | 'text_output' | 'cache_write_1h',
): string {
  const { offer } = catalogue.find(found);
  return offer?.rates[tokenClass]?.usdPerMillion.toFixed() ?? 'none';
}

describe('the packaged catalogue', () => {
  it('names its installed version', () => {
    expect(catalogue.name).toMatch(/^genai-prices@\d+\.\d+\.\d+$/);
  });

  it('agrees with its own package on every model, at every kind of date, but for the rounding of its floats', () => {
    const providers = [
      'openai',
      'anthropic',
      'azure',
      'mistral',
      'deepseek',
      'x-ai',
      'perplexity',
      'groq',
      'cohere',
    ];
    const moments = [
      '2025-06-09T23:59:59Z',
      '2025-06-10T00:00:00Z',
      '2026-03-12T12:00:00Z',
      '2026-09-01T02:30:00Z',
    ];
    const book = new PriceBook({ catalogues: [catalogue] });
    const differing: string[] = [];
    let compared = 0;
    for (const providerId of providers) {
      for (const model of findProvider({ providerId })?.models ?? []) {
        for (const at of moments.map((text) => new Date(text))) {
          const question = { provider: providerId, model: model.id, at, tier: 'default', batch: false };
          const pricing = book.price(question, {
            uncached_input: 250_000,
            cache_read: 30_000,
            text_output: 7_000,
          });
          const usage = { input_tokens: 280_000, cache_read_tokens: 30_000, output_tokens: 7_000 };
          const theirs = calcPrice(usage, model.id, { providerId, timestamp: at });
          if (pricing.kind === 'unpriced') continue;
          const difference = pricing.cost.total.minus(theirs?.total_price ?? -1).abs();
          if (difference.greaterThan(1e-9))
            differing.push(`${providerId}/${model.id} at ${at.toISOString()}`);
          compared += 1;
        }
      }
    }
    expect(differing).toEqual([]);
    expect(compared).toBeGreaterThan(500);
  });

  it('has a price for every model of OpenAI and Anthropic that sells tokens both ways', () => {
    const unpriced = ['openai', 'anthropic'].flatMap((providerId) =>
      (findProvider({ providerId })?.models ?? [])
        // Fine-tuned models are in the packaged prices.
        .filter(({ id }) => fineTunedBase(id.replace(/-$/, '-x')) === undefined)
        .filter(({ id }) => {
          const listed = calcPrice({ input_tokens: 1, output_tokens: 1 }, id, { providerId })?.model_price;
          return listed?.['input_mtok'] !== undefined && listed['output_mtok'] !== undefined;
        })
        .filter(({ id }) => rateText(lookup(providerId, id), 'text_output') === 'none')
        .map(({ id }) => id),
    );
    expect(unpriced).toEqual([]);
  });

  it('uses the price in force at the time of the call, to the millisecond', () => {
    expect(rateText(lookup('openai', 'o3', '2025-06-09T23:59:59.999Z'), 'uncached_input')).toBe('10');
    expect(rateText(lookup('openai', 'o3', '2025-06-10T00:00:00.000Z'), 'uncached_input')).toBe('2');
  });

  it('says how long an answer holds', () => {
    const change = Date.parse('2025-06-10');
    expect(catalogue.find(lookup('openai', 'o3', '2025-01-01')).validity).toEqual({
      fromMs: -Infinity,
      untilMs: change,
    });
    expect(catalogue.find(lookup('openai', 'o3', '2026-01-01')).validity).toEqual({
      fromMs: change,
      untilMs: Infinity,
    });
    expect(catalogue.find(lookup('openai', 'gpt-5')).validity).toEqual({
      fromMs: -Infinity,
      untilMs: Infinity,
    });
  });

  it.each([
    ['2025-05-01T00:29:59.999Z', '0.135', '2025-05-01T00:30:00Z'],
    ['2025-05-01T00:30:00.000Z', '0.27', '2025-05-01T16:30:00Z'],
    ['2025-05-01T16:29:59.999Z', '0.27', '2025-05-01T16:30:00Z'],
    ['2025-05-01T16:30:00.000Z', '0.135', '2025-05-02T00:00:00Z'],
  ])('keeps daily windows in UTC: at %s DeepSeek costs %s', (at, rate, until) => {
    const found = lookup('deepseek', 'deepseek-chat', at);
    expect(rateText(found, 'uncached_input')).toBe(rate);
    expect(catalogue.find(found).validity.untilMs).toBe(Date.parse(until));
  });

  it('finds snapshots by the rules of the catalogue, compact dates and fallback providers included', () => {
    const references = [
      lookup('openai', 'gpt-5-2025-08-07'),
      lookup('openai', 'gpt-5-20250807'),
      lookup('azure', 'gpt-5-mini-2025-08-07'),
    ].map((found) => catalogue.find(found).offer?.reference);
    expect(references).toEqual([
      `${catalogue.name}:openai/gpt-5@always`,
      `${catalogue.name}:openai/gpt-5@always`,
      `${catalogue.name}:openai/gpt-5-mini@always for azure, which lists none`,
    ]);
  });

  it('knows one-hour cache writes of Anthropic at twice the input rate', () => {
    const models = (findProvider({ providerId: 'anthropic' })?.models ?? []).map(({ id }) => id);
    const writing = models.filter(
      (id) => catalogue.find(lookup('anthropic', id)).offer?.rates.cache_write_5m,
    );
    const stated = writing.map((id) => `${id} ${rateText(lookup('anthropic', id), 'cache_write_1h')}`);
    const doubled = writing.map((id) => {
      const rates = catalogue.find(lookup('anthropic', id)).offer?.rates;
      return `${id} ${rates?.uncached_input?.usdPerMillion.times(2).toFixed()}`;
    });
    expect(stated).toEqual(doubled);
    expect(stated.length).toBeGreaterThan(10);
  });

  it('carries a request fee as a fee for one request', () => {
    expect(catalogue.find(lookup('perplexity', 'sonar-pro')).offer?.usdPerRequest?.toFixed()).toBe('0.014');
  });

  it('reads a rate that a division left behind as a rate money can hold', () => {
    const { offer } = catalogue.find(lookup('openrouter', 'google/gemini-2.5-flash-lite'));
    expect(offer?.rates.cache_write_5m?.usdPerMillion.toFixed()).toBe('0.083333333333');
  });

  it.each([
    ['an unknown provider', lookup('nobody', 'gpt-5')],
    ['a provider that is only like a known one', lookup('my-openai-proxy', 'gpt-5')],
    ['an unknown model', lookup('openai', 'gpt-99')],
    ['a model that is listed without any rate', lookup('openai', 'omni-moderation-latest')],
    ['a tier', { ...lookup('openai', 'gpt-5'), tier: 'flex' }],
    ['batch mode', { ...lookup('openai', 'gpt-5'), batch: true }],
  ])('offers nothing for %s', (_, found) => {
    expect(catalogue.find(found).offer).toBeUndefined();
  });
});
