import { findProvider } from '@pydantic/genai-prices';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  attoOfUsd,
  billedAtto,
  type BilledTokens,
  findSimulatedModel,
  type ListRates,
  simulatedModels,
  usdOfAtto,
} from './simulator-prices.ts';

const noTokens: BilledTokens = {
  uncached_input: 0,
  cache_read: 0,
  cache_write_5m: 0,
  cache_write_1h: 0,
  text_output: 0,
  reasoning: 0,
};

function model(provider: 'openai' | 'anthropic', name: string) {
  const found = findSimulatedModel(provider, name);
  if (found === undefined) throw new Error(`${name} is not simulated`);
  return found;
}

/** The catalogue's list price of one class, below any tier of input size. */
function listed(provider: string, id: string, field: string): string | undefined {
  const entry = findProvider({ providerId: provider })?.models.find((candidate) => candidate.id === id);
  if (entry === undefined || Array.isArray(entry.prices)) throw new Error(`${id} has no single price`);
  const price = (entry.prices as Record<string, number | { base: number } | undefined>)[field];
  return typeof price === 'object' ? String(price.base) : price === undefined ? undefined : String(price);
}

const fields: readonly [keyof ListRates, string][] = [
  ['input', 'input_mtok'],
  ['output', 'output_mtok'],
  ['cacheRead', 'cache_read_mtok'],
  ['cacheWrite5m', 'cache_write_mtok'],
  ['cacheWrite1h', 'cache_write_1h_mtok'],
];

describe('the price table', () => {
  const catalogued = simulatedModels.filter(({ id }) => id !== 'experimental-unpriced');

  it.each(catalogued)('agrees with the catalogue on $id', ({ provider, id, rates }) => {
    const ordinary = rates['default'] ?? rates['standard'];
    for (const [name, field] of fields) {
      const expected =
        listed(provider, id, field) ??
        (id === 'text-embedding-3-small' && name === 'output' ? '0' : undefined);
      expect(ordinary?.[name], `${id} ${name}`).toBe(expected);
    }
  });

  it('sells one model that no catalogue knows', () => {
    expect(
      findProvider({ providerId: 'openai' })?.models.some(({ id }) => id.startsWith('experimental')),
    ).toBe(false);
    expect(
      billedAtto(model('openai', 'experimental-unpriced'), 'default', { ...noTokens, text_output: 1 }),
    ).toBeGreaterThan(0n);
  });

  it('charges a one-hour cache write twice the input', () => {
    for (const { rates } of simulatedModels.filter(({ provider }) => provider === 'anthropic')) {
      const standard = rates['standard'];
      expect(attoOfUsd(standard?.cacheWrite1h ?? '0')).toBe(2n * attoOfUsd(standard?.input ?? '0'));
    }
  });
});

describe('the bill of one request', () => {
  it('adds every class at its own rate', () => {
    const tokens = {
      ...noTokens,
      uncached_input: 1,
      cache_read: 10,
      cache_write_5m: 100,
      cache_write_1h: 1000,
      text_output: 7,
    };
    // 1 + 1 + 125 + 2000 + 35 dollars per million
    expect(usdOfAtto(billedAtto(model('anthropic', 'claude-haiku-4-5'), 'standard', tokens))).toBe(
      '0.002162',
    );
  });

  it('charges reasoning as output, and each tier its own rates', () => {
    const tokens = { ...noTokens, text_output: 3, reasoning: 4 };
    const mini = model('openai', 'gpt-5-mini-2025-08-07');
    expect(usdOfAtto(billedAtto(mini, 'default', tokens))).toBe('0.000014');
    expect(usdOfAtto(billedAtto(mini, 'flex', tokens))).toBe('0.000007');
    expect(usdOfAtto(billedAtto(mini, 'priority', tokens))).toBe('0.0000252');
  });

  it('fails on a class or tier that the model does not sell', () => {
    const mini = model('openai', 'gpt-5-mini');
    expect(() => billedAtto(mini, 'default', { ...noTokens, cache_write_5m: 1 })).toThrow('rate');
    expect(() => billedAtto(mini, 'standard', noTokens)).toThrow('tier');
  });

  it('is exact: splitting the tokens never changes the sum', () => {
    const count = fc.nat({ max: 2_000_000 });
    fc.assert(
      fc.property(count, count, fc.constantFrom(...simulatedModels), (left, right, any) => {
        const tier = Object.keys(any.rates)[0] ?? '';
        const cost = (uncached_input: number): bigint =>
          billedAtto(any, tier, { ...noTokens, uncached_input });
        expect(cost(left) + cost(right)).toBe(cost(left + right));
      }),
    );
  });

  it('reads back the text that it writes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), (atto) => {
        const text = usdOfAtto(atto);
        expect(text).toMatch(/^\d+(\.\d*[1-9])?$/);
        expect(attoOfUsd(text)).toBe(atto);
      }),
    );
  });
});
