import fc from 'fast-check';
import { findProvider } from '@pydantic/genai-prices';
import { describe, expect, it } from 'vitest';
import { addUsd, formatUsd, type Usd, zeroUsd } from '../kernel/money.ts';
import { catalogueCorrections } from './catalogue-corrections.ts';
import { parseOverlay } from './overlay.ts';
import { packagedPriceBook } from './packaged-price-book.ts';
import type { PriceQuestion } from './price.ts';
import { catalogueProviders, priceProviderOf, providerAliases } from './provider-names.ts';
import { openAiPrices, openAiTiers } from './published-openai.ts';
import { otherPrices, otherTiers, publishedUnits } from './published-others.ts';
import { geographyOf, tierOf } from './tier-names.ts';
import {
  classOf,
  countTokens,
  inputTokenClasses,
  outputTokenClasses,
  ratedKinds,
  type RatedCounts,
  storedCounts,
} from './token-classes.ts';

const book = packagedPriceBook();

const question = (provider: string, model: string, more: Partial<PriceQuestion> = {}): PriceQuestion => ({
  provider,
  model,
  at: new Date('2026-11-01T12:00:00Z'),
  tier: 'default',
  batch: false,
  ...more,
});

function rate(asked: PriceQuestion, kind: 'uncached_input' | 'text_output' = 'uncached_input'): string {
  return book.findPrice(asked)?.rates[kind]?.usdPerMillion.toFixed() ?? 'none';
}

describe('published prices', () => {
  it('name the page and the day of every entry', () => {
    const entries = [...openAiTiers, ...openAiPrices, ...otherTiers, ...otherPrices, ...publishedUnits];
    expect(entries.length).toBeGreaterThan(100);
    for (const { source } of entries) expect(source).toMatch(/^https:\/\/\S+ \(20\d\d-\d\d-\d\d\)$/);
  });

  it('multiply models that have a standard price', () => {
    const named = [...openAiTiers, ...otherTiers].filter(({ model }) => !model.includes('*'));
    const without = named.filter(
      ({ provider, model }) => book.findPrice(question(provider, model)) === undefined,
    );
    expect(without.map(({ provider, model }) => `${provider}/${model}`)).toEqual([]);
  });

  it('tell who says so, rule by rule', () => {
    const asked = question('anthropic', 'claude-opus-5', { tier: 'fast', geography: 'us' });
    expect(book.findPrice(asked)?.steps?.map(({ kind, multiplier }) => [kind, multiplier])).toEqual([
      ['base', undefined],
      ['tier', '2'],
      ['geography', '1.1'],
    ]);
    expect(book.findPrice(asked)?.steps?.every(({ source }) => source?.startsWith('https://'))).toBe(true);
  });

  it('have a version that follows their content', () => {
    const other = packagedPriceBook({ overlay: parseOverlay('{}', 'own.json') });
    expect(book.version).toMatch(/^[0-9a-f]{12}$/);
    expect(packagedPriceBook().version).toBe(book.version);
    expect(other.version).not.toBe(book.version);
  });
});

describe('a correction of the catalogue', () => {
  it.each(catalogueCorrections.map((correction) => [correction.provider, correction] as const))(
    'of %s still corrects something',
    (providerId, { models, listed }) => {
      const text = JSON.stringify(
        findProvider({ providerId })
          ?.models.filter(({ id }) => models.test(id))
          .map(({ prices }) => prices),
      );
      expect(text).toContain(`"start":${listed}`);
    },
  );
});

describe('names of providers', () => {
  it('lead to providers of the catalogue', () => {
    for (const id of catalogueProviders) expect(findProvider({ providerId: id })?.id).toBe(id);
    for (const name of Object.keys(providerAliases)) {
      expect(catalogueProviders).toContain(priceProviderOf(name));
      expect(catalogueProviders).not.toContain(name);
    }
  });
});

describe('names of tiers and places', () => {
  it.each([
    ['ON_DEMAND', 'google', 'default'],
    ['on-demand', 'groq', 'default'],
    ['standard_only', 'anthropic', 'default'],
    ['SERVICE_TIER_UNSPECIFIED', 'google', 'default'],
    ['fast', 'openai', 'priority'],
    ['fast', 'anthropic', 'fast'],
    ['ultrafast', 'openai', 'ultrafast'],
    ['ON_DEMAND_FLEX', 'google', 'flex'],
  ])('%s of %s is %s', (name, provider, tier) => {
    expect(tierOf(name, provider)).toBe(tier);
  });

  it.each([
    [undefined, 'global'],
    ['', 'global'],
    ['not_available', 'global'],
    ['US', 'us'],
  ])('%s is %s', (name, geography) => {
    expect(geographyOf(name)).toBe(geography);
  });
});

const contract = `
contracts:
  - name: frame 2026
    provider: openai
    from: 2026-01-01
    until: 2027-01-01
    discount: "0.12"
prices:
  - provider: openai
    model: gpt-5-mini
    rates: { uncached_input: "0.2", text_output: "1.5" }
units:
  - provider: openai
    unit: web_search
    usdPerUse: "0.008"
`;

describe('own contracts', () => {
  const own = packagedPriceBook({ overlay: parseOverlay(contract, 'prices.yaml') });
  const input = (model: string, more: Partial<PriceQuestion> = {}) =>
    own.findPrice(question('openai', model, more))?.rates.uncached_input?.usdPerMillion.toFixed();

  it('take their share off list prices, in every tier, last', () => {
    expect(input('gpt-5')).toBe('1.1');
    expect(input('gpt-5', { tier: 'flex' })).toBe('0.55');
    expect(own.findPrice(question('openai', 'gpt-5', { tier: 'flex' }))?.steps?.at(-1)).toMatchObject({
      kind: 'contract',
      multiplier: '0.88',
      source: 'contract frame 2026',
    });
  });

  it('end at their day', () => {
    expect(input('gpt-5', { at: new Date('2026-12-31T23:59:59.999Z') })).toBe('1.1');
    expect(input('gpt-5', { at: new Date('2027-01-01T00:00:00.000Z') })).toBe('1.25');
    expect(input('gpt-5', { at: new Date('2025-12-31T23:59:59.999Z') })).toBe('1.25');
  });

  it('leave prices of their own, and other providers, as they are', () => {
    expect(input('gpt-5-mini')).toBe('0.2');
    expect(rate(question('anthropic', 'claude-sonnet-5'))).toBe('2');
  });

  it('may have prices of uses of tools', () => {
    expect(own.findPrice(question('openai', 'gpt-5'))?.units?.web_search?.toFixed()).toBe('0.008');
  });

  it.each([
    ['contracts:\n  - { name: a, provider: openai, discount: "1.5" }', 'contracts.0.discount'],
    [
      'contracts: [{ name: a, provider: x, discount: "0.1" }, { name: b, provider: x, discount: "0.2" }]',
      'contracts.1',
    ],
    ['prices: [', 'is not YAML'],
  ])('that are wrong are refused with their place: %s', (text, place) => {
    expect(() => parseOverlay(text, 'prices.yml')).toThrow(place);
  });

  it('say what has ended and nothing follows', () => {
    const overlay = parseOverlay(contract, 'prices.yaml');
    expect(overlay.pastEntries(new Date('2026-06-01'))).toEqual([]);
    expect(overlay.pastEntries(new Date('2027-06-01'))).toEqual([
      'contracts.0: openai/* ended on 2027-01-01; list prices hold since',
    ]);
  });
});

const amounts = fc.record(Object.fromEntries(ratedKinds.map((kind) => [kind, fc.nat({ max: 900_000 })])));
const models = fc.constantFrom(
  ['openai', 'gpt-5.6-sol'],
  ['anthropic', 'claude-sonnet-4-5'],
  ['google', 'gemini-2.5-flash'],
  ['google', 'gemini-2.5-pro'],
  ['x-ai', 'grok-4.5'],
);
const tiers = fc.constantFrom('default', 'flex', 'priority', 'fast', 'batch');

describe('laws of prices', () => {
  it('stored classes hold every token once', () => {
    fc.assert(
      fc.property(amounts, (counts: RatedCounts) => {
        const stored = storedCounts(counts);
        const all = ratedKinds.reduce((sum, kind) => sum + (counts[kind] ?? 0), 0);
        expect(countTokens(stored)).toBe(all);
        expect(countTokens(counts, inputTokenClasses) + countTokens(counts, outputTokenClasses)).toBe(all);
        for (const kind of ratedKinds)
          expect(stored[classOf(kind)] ?? 0).toBeGreaterThanOrEqual(counts[kind] ?? 0);
      }),
    );
  });

  it('a cost is the sum of the costs of its kinds at the band of the whole, and never above the bound', () => {
    fc.assert(
      fc.property(models, tiers, amounts, ([provider = '', model = ''], tier, counts: RatedCounts) => {
        const asked = question(provider, model, { tier });
        const price = book.findPrice(asked);
        if (price === undefined) return;
        const known: RatedCounts = Object.fromEntries(
          Object.entries(counts).filter(([kind]) => kind in price.rates),
        );
        const pricing = book.price(asked, known);
        if (pricing.kind !== 'priced') throw new Error(pricing.reason);
        const inputTokens = countTokens(known, inputTokenClasses);
        const sum = ratedKinds.reduce<Usd>((total, kind) => {
          const own = price.rates[kind];
          const band = own?.tiers.findLast((candidate) => inputTokens > candidate.aboveInputTokens) ?? own;
          return band === undefined
            ? total
            : addUsd(total, band.usdPerMillion.times(known[kind] ?? 0).div(1_000_000));
        }, zeroUsd);
        expect(formatUsd(pricing.cost.total)).toBe(formatUsd(sum));
        const bound = book.upperBound(asked, inputTokens, countTokens(known, outputTokenClasses));
        expect(bound?.greaterThanOrEqualTo(pricing.cost.total)).toBe(true);
      }),
    );
  });

  it('a price holds from its day on, until the next one does', () => {
    const days = fc.integer({ min: Date.parse('2025-01-01'), max: Date.parse('2027-06-01') });
    const changes = [Date.parse('2026-07-30'), Date.parse('2026-08-21')];
    fc.assert(
      fc.property(days, days, (one, other) => {
        const [earlier, later] = one <= other ? [one, other] : [other, one];
        const at = (ms: number) => rate(question('openai', 'gpt-5.6-sol', { at: new Date(ms) }));
        const isSame = !changes.slice(1).some((change) => earlier < change && change <= later);
        expect(at(earlier) === at(later)).toBe(isSame);
      }),
    );
  });

  it('a bound covers every place that was not asked for', () => {
    const free = book.upperBound(question('anthropic', 'claude-sonnet-4-6'), 1000, 1000);
    const bound = book.price(question('anthropic', 'claude-sonnet-4-6', { geography: 'us' }), {
      cache_write_1h: 1000,
      text_output: 1000,
    });
    expect(bound.kind === 'priced' && free?.toFixed()).toBe('0.0231');
    expect(bound.kind === 'priced' && bound.cost.total.toFixed()).toBe('0.0231');
  });

  it('a bound covers the uses of tools that it is told of', () => {
    const asked = question('openai', 'gpt-5.4');
    const without = book.upperBound(asked, 1000, 1000);
    const searching = book.upperBound(asked, 1000, 1000, { web_search: 3 });
    expect(searching?.minus(without ?? zeroUsd).toFixed()).toBe('0.03');
  });
});
