import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { formatUsd } from '../kernel/money.ts';
import type { Catalogue } from './catalogue.ts';
import { always } from './catalogue.ts';
import { parseOverlay } from './overlay.ts';
import { packagedPriceBook } from './packaged-price-book.ts';
import { catalogueProviders } from './provider-names.ts';
import { PriceBook } from './price-book.ts';
import type { PriceQuestion } from './price.ts';
import type { TokenClass, TokenCounts } from './token-classes.ts';

const listed = packagedPriceBook();

function question(reference: string, more: Partial<PriceQuestion> = {}): PriceQuestion {
  const [provider = '', model = ''] = reference.split('/');
  return { provider, model, at: new Date('2026-10-01T12:00:00Z'), tier: 'default', batch: false, ...more };
}

/** The total as text, or the reason why there is none. */
function costOf(book: PriceBook, asked: PriceQuestion, tokens: TokenCounts): string {
  const pricing = book.price(asked, tokens);
  return pricing.kind === 'priced' ? formatUsd(pricing.cost.total) : pricing.reason;
}

function withOverlay(...prices: object[]): PriceBook {
  return packagedPriceBook({ overlay: parseOverlay(JSON.stringify({ prices }), 'prices.json') });
}

describe('list prices', () => {
  it('of OpenAI: cached input at its own rate, reasoning as output', () => {
    // 1,000 × 1.25 + 3,000 × 0.125 + 200 × 10 + 700 × 10, all per million.
    const tokens = { uncached_input: 1_000, cache_read: 3_000, text_output: 200, reasoning: 700 };
    const pricing = listed.price(question('openai/gpt-5-2025-08-07'), tokens);
    expect(pricing).toMatchObject({
      kind: 'priced',
      price: { reference: expect.stringMatching(/:openai\/gpt-5@always$/) as string },
    });
    if (pricing.kind !== 'priced') return;
    const byClass = Object.entries(pricing.cost.byClass).map(([name, amount]) => [name, formatUsd(amount)]);
    expect(Object.fromEntries(byClass)).toEqual({
      uncached_input: '0.00125',
      cache_read: '0.000375',
      text_output: '0.002',
      reasoning: '0.007',
    });
    expect(formatUsd(pricing.cost.total)).toBe('0.010625');
    expect(pricing.price.catalogue).toMatch(/^genai-prices@/);
  });

  it('of Anthropic: cache writes for five minutes and for one hour', () => {
    // 100 × 3 + 2,000 × 0.3 + 400 × 3.75 + 500 × 6 + 50 × 15, all per million.
    const tokens = {
      uncached_input: 100,
      cache_read: 2_000,
      cache_write_5m: 400,
      cache_write_1h: 500,
      text_output: 50,
    };
    expect(costOf(listed, question('anthropic/claude-sonnet-4-5-20250929'), tokens)).toBe('0.00615');
  });

  it('rise for long input, for all tokens of the call', () => {
    const asked = question('anthropic/claude-sonnet-4-5');
    expect(costOf(listed, asked, { uncached_input: 200_000, text_output: 1_000 })).toBe('0.615');
    expect(costOf(listed, asked, { uncached_input: 200_001, text_output: 1_000 })).toBe('1.222506');
  });

  it('change on their date, also after the other side of the date was asked', () => {
    const before = question('openai/o3', { at: new Date('2025-06-09T23:59:59.999Z') });
    const after = question('openai/o3', { at: new Date('2025-06-10T00:00:00.000Z') });
    for (let round = 0; round < 2; round += 1) {
      expect(costOf(listed, before, { uncached_input: 1_000_000 })).toBe('10');
      expect(costOf(listed, after, { uncached_input: 1_000_000 })).toBe('2');
    }
  });

  it('change with the hour of the day, also after the other hours were asked', () => {
    const asked = (time: string) =>
      question('deepseek/deepseek-chat', { at: new Date(`2025-05-01T${time}Z`) });
    for (const [time, cost] of [
      ['00:10', '0.135'],
      ['01:00', '0.27'],
      ['23:00', '0.135'],
      ['16:29', '0.27'],
    ] as const) {
      expect(costOf(listed, asked(time), { uncached_input: 1_000_000 })).toBe(cost);
    }
  });
});

describe('modes', () => {
  const tokens = { uncached_input: 1_000_000, cache_read: 1_000_000, text_output: 1_000_000 };

  it.each([
    ['openai/gpt-5', { batch: true }, '5.6875'],
    ['openai/gpt-5', { tier: 'batch' }, '5.6875'],
    ['openai/gpt-5', { tier: 'flex' }, '5.6875'],
    ['openai/gpt-5', { tier: 'priority' }, '22.75'],
    ['openai/gpt-5', { tier: 'fast' }, '22.75'],
    ['openai/gpt-5', { tier: 'standard' }, '11.375'],
    ['openai/gpt-5', { tier: 'auto' }, '11.375'],
    ['openai/o3', { tier: 'flex' }, '5.25'],
    // Batch has no cached rate before GPT-5: 1 + 1 + 4.
    ['openai/o3', { batch: true }, '6'],
    ['anthropic/claude-sonnet-4-0', { batch: true }, '9.15'],
  ])('%s in %j costs %s', (model, mode, cost) => {
    expect(costOf(listed, question(model, mode), tokens)).toBe(cost);
  });

  it.each([
    ['openai/gpt-5-nano', { tier: 'priority' }, 'no price for openai/gpt-5-nano in tier priority'],
    ['openai/gpt-4o', { tier: 'flex' }, 'no price for openai/gpt-4o in tier flex'],
    ['openai/gpt-5', { tier: 'ultrafast' }, 'no price for openai/gpt-5 in tier ultrafast'],
    ['openai/gpt-5', { tier: 'flex', batch: true }, 'no price for openai/gpt-5 in tier flex in batch mode'],
    [
      'anthropic/claude-opus-4-1',
      { tier: 'priority' },
      'no price for anthropic/claude-opus-4-1 in tier priority',
    ],
    ['groq/llama-3.1-8b-instant', { batch: true }, 'no price for groq/llama-3.1-8b-instant in batch mode'],
    ['openai/gpt-99', { batch: true }, 'no price for openai/gpt-99 in batch mode'],
    ['openai/gpt-99', {}, 'no price for openai/gpt-99'],
    [
      'nobody/gpt-5',
      {},
      `no prices of a provider "nobody"; there are prices of ${catalogueProviders.join(', ')}`,
    ],
  ])('%s in %j is unpriced, never at the default rate', (model, mode, reason) => {
    expect(listed.price(question(model, mode), tokens)).toEqual({ kind: 'unpriced', reason });
    expect(listed.upperBound(question(model, mode), 1, 1)).toBeUndefined();
  });

  it('halves the tiers of long input too, by date of the standard price', () => {
    const asked = question('anthropic/claude-sonnet-4-6', { batch: true, at: new Date('2026-03-12') });
    expect(costOf(listed, asked, { uncached_input: 1_000_000 })).toBe('3');
    expect(costOf(listed, { ...asked, at: new Date('2026-03-13') }, { uncached_input: 1_000_000 })).toBe(
      '1.5',
    );
  });

  it('says in the reference which price it multiplied', () => {
    const [overlay, , catalogue] = listed.catalogueNames;
    expect(listed.findPrice(question('openai/o3', { tier: 'flex' }))).toMatchObject({
      catalogue: overlay,
      reference: `${overlay}:openai/o3@always+flex of ${catalogue}:openai/o3@2025-06-10`,
    });
  });
});

describe('a class without a rate', () => {
  it.each<[string, TokenClass]>([
    ['openai/gpt-4o', 'audio_input'],
    ['openai/gpt-4o', 'image_output'],
    ['openai/gpt-5', 'cache_write_1h'],
  ])('of %s leaves the whole call unpriced when %s is used', (model, tokenClass) => {
    const tokens = { uncached_input: 10, [tokenClass]: 1 };
    expect(costOf(listed, question(model), tokens)).toBe(`no rate for ${tokenClass} of ${model}`);
    expect(costOf(listed, question(model), { ...tokens, [tokenClass]: 0 })).toMatch(/^0\.0000/);
  });
});

describe('an overlay in front', () => {
  const contract = {
    provider: 'openai',
    model: 'gpt-5*',
    from: '2026-01-01',
    rates: { uncached_input: '1', text_output: '8' },
  };
  const million = { uncached_input: 1_000_000 };

  it('decides from its first day; the list price before, and for other models and modes', () => {
    const book = withOverlay(contract);
    expect(costOf(book, question('openai/gpt-5'), million)).toBe('1');
    expect(
      costOf(book, question('openai/gpt-5', { at: new Date('2025-12-31T23:59:59.999Z') }), million),
    ).toBe('1.25');
    expect(costOf(book, question('openai/gpt-4o'), million)).toBe('2.5');
    expect(costOf(book, question('openai/gpt-5', { tier: 'flex' }), million)).toBe('0.625');
    expect(book.findPrice(question('openai/gpt-5'))?.reference).toMatch(
      /^overlay:[0-9a-f]{12}:openai\/gpt-5\*@2026-01-01$/,
    );
  });

  it('bills cached input and reasoning as the contract does when it names no rate for them', () => {
    const tokens = { cache_read: 1_000_000, reasoning: 1_000_000 };
    expect(costOf(withOverlay(contract), question('openai/gpt-5'), tokens)).toBe('9');
  });

  it('may multiply the list price, replace single rates of it and add a request fee', () => {
    const book = withOverlay({
      provider: 'openai',
      model: 'gpt-5',
      multiplier: '0.8',
      rates: { image_input: '3' },
      usdPerRequest: '0.0001',
    });
    const tokens = { uncached_input: 1_000_000, image_input: 1_000_000 };
    expect(costOf(book, question('openai/gpt-5'), tokens)).toBe('4.0001');
    expect(costOf(book, question('openai/gpt-5'), {})).toBe('0.0001');
  });

  it('multiplies the standard price, not the packaged discount of the same mode', () => {
    const book = withOverlay({ provider: 'openai', model: 'gpt-5', batch: true, multiplier: '0.4' });
    expect(costOf(book, question('openai/gpt-5', { batch: true }), million)).toBe('0.5');
  });

  it('has nothing to multiply when the model is not listed', () => {
    const book = withOverlay({ provider: 'openai', model: '*', multiplier: '0.8' });
    expect(costOf(book, question('openai/gpt-99'), million)).toBe('no price for openai/gpt-99');
  });

  it('can say that a model is free', () => {
    const book = withOverlay({
      provider: 'local',
      model: '*',
      rates: { uncached_input: '0', text_output: '0' },
    });
    expect(costOf(book, question('local/llama'), { ...million, reasoning: 5 })).toBe('0');
  });
});

describe('aliases', () => {
  it('let an endpoint follow the list prices and modes of another provider', () => {
    const book = packagedPriceBook({ aliases: { 'eu-proxy': 'openai' } });
    expect(costOf(book, question('eu-proxy/gpt-5'), { uncached_input: 1_000_000 })).toBe('1.25');
    expect(costOf(book, question('eu-proxy/gpt-5', { batch: true }), { uncached_input: 1_000_000 })).toBe(
      '0.625',
    );
    expect(book.limits('eu-proxy', 'gpt-5')).toEqual({ contextTokens: 400_000, maxOutputTokens: 128_000 });
  });

  it('that lead nowhere are faults of the configuration, all at once', () => {
    try {
      packagedPriceBook({ aliases: { a: 'nobody', b: 'openai', c: 'no-one' } });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({
        code: 'MILLRACE_CONFIG_INVALID',
        faults: [{ field: 'prices.aliases.a' }, { field: 'prices.aliases.c' }],
      });
    }
  });
});

describe('bounds and limits', () => {
  it('takes the highest rates for an upper bound', () => {
    // One-hour cache writes at 6 and output at 15 per million; above 200,000 tokens 12 and 22.5.
    const asked = question('anthropic/claude-sonnet-4-5');
    expect(listed.upperBound(asked, 100_000, 10_000)?.toFixed()).toBe('0.75');
    expect(listed.upperBound(asked, 200_001, 10_000)?.toFixed()).toBe('2.625012');
    expect(listed.upperBound(question('openai/text-embedding-3-small'), 1_000, 0)?.toFixed()).toBe('0.00002');
  });

  it.each([
    ['openai', 'gpt-5-mini-2025-08-07', { contextTokens: 400_000, maxOutputTokens: 128_000 }],
    ['openai', 'gpt-5-pro', { contextTokens: 400_000, maxOutputTokens: 272_000 }],
    ['openai', 'gpt-4o-2024-05-13', { contextTokens: 128_000, maxOutputTokens: 4_096 }],
    ['anthropic', 'claude-opus-4-20250514', { contextTokens: 200_000, maxOutputTokens: 32_000 }],
    ['anthropic', 'Claude-Haiku-4-5-20251001', { contextTokens: 200_000, maxOutputTokens: 64_000 }],
    ['groq', 'gpt-99', {}],
  ])('knows how much %s/%s can take in and put out', (provider, model, limits) => {
    expect(listed.limits(provider, model)).toEqual(limits);
  });
});

describe('what is remembered', () => {
  it('spares the catalogues within the span of an answer and asks again outside of it', () => {
    const change = Date.parse('2026-02-01');
    const asked: string[] = [];
    const catalogue: Catalogue = {
      name: 'counting',
      find: ({ at, model }) => {
        asked.push(`${model} ${at.toISOString().slice(0, 10)}`);
        if (model === 'unknown') return { validity: always };
        const isLater = at.getTime() >= change;
        return {
          offer: { kind: 'price', reference: isLater ? 'later' : 'earlier', rates: {} },
          validity: isLater ? { fromMs: change, untilMs: Infinity } : { fromMs: -Infinity, untilMs: change },
        };
      },
      limits: () => ({}),
    };
    const book = new PriceBook({ catalogues: [catalogue] });
    const find = (day: string, model = 'm') =>
      book.findPrice(question(`p/${model}`, { at: new Date(day) }))?.reference;
    expect([find('2026-01-01'), find('2026-01-31'), find('2026-02-01'), find('2026-03-01')]).toEqual([
      'earlier',
      'earlier',
      'later',
      'later',
    ]);
    expect([find('2026-01-01', 'unknown'), find('2026-03-01', 'unknown')]).toEqual([undefined, undefined]);
    expect(asked).toEqual(['m 2026-01-01', 'm 2026-02-01', 'unknown 2026-01-01']);
  });

  it('is bounded: the longest unasked of very many models is looked up anew', () => {
    let lookups = 0;
    const catalogue: Catalogue = {
      name: 'counting',
      find: () => {
        lookups += 1;
        return { validity: always };
      },
      limits: () => ({}),
    };
    const book = new PriceBook({ catalogues: [catalogue] });
    for (let i = 0; i <= 1_000; i += 1) book.findPrice(question(`p/m${i}`));
    book.findPrice(question('p/m1000'));
    expect(lookups).toBe(1_001);
    book.findPrice(question('p/m0'));
    expect(lookups).toBe(1_002);
  });
});
