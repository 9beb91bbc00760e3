import { describe, expect, it } from 'vitest';
import { usd } from '../../kernel/money.ts';
import { packagedPriceBook } from '../../pricing/packaged-price-book.ts';
import { priceOfAnswer, tokensOfCall } from './price-of-answer.ts';

const book = packagedPriceBook();
const question = { provider: 'openrouter', at: new Date('2026-11-01'), tier: 'default', batch: false };
const tokens = { uncached_input: 900, text_output: 69 };

function charged(amount: string, boundUsd = '0.001') {
  const model = 'openai/gpt-4o-mini';
  const answer = { question, asked: model, answered: model, boundUsd: usd(boundUsd) };
  return priceOfAnswer(book, answer, tokens, { chargedUsd: usd(amount) });
}

describe('what an aggregator says it charged', () => {
  it('is the cost, also above the bound of what it lists', () => {
    expect(charged('0.0160614')).toMatchObject({ kind: 'priced', isBelieved: true });
    const pricing = charged('0.0160614');
    expect(pricing.kind === 'priced' && pricing.cost.total.toFixed()).toBe('0.0160614');
    expect(pricing.kind === 'priced' && pricing.cost.list?.toFixed()).toBe('0.0001764');
  });

  it('is not believed far above all that the request can cost', () => {
    const pricing = charged('10.0011');
    expect(pricing).toMatchObject({ kind: 'priced', isBelieved: false });
    expect(pricing.kind === 'priced' && pricing.cost.total.toFixed()).toBe('0.0001764');
  });

  it('of nothing leaves the list price, also of a snapshot that no list knows', () => {
    const asked = 'openai/gpt-4o-mini';
    const answer = { question, asked, answered: `${asked}-2031-01-31`, boundUsd: usd('0.001') };
    const pricing = priceOfAnswer(book, answer, tokens, { chargedUsd: usd('0') });
    expect(pricing).toMatchObject({ kind: 'priced', isBelieved: true });
    expect(pricing.kind === 'priced' && pricing.cost.total.toFixed()).toBe('0.0001764');
  });

  it('is not believed where it cannot be stored, whatever the bound', () => {
    expect(charged('100000000000000000000', '100000000000000000000')).toMatchObject({ isBelieved: false });
  });
});

describe('what a provider that sells by its list says of cost', () => {
  it.each(['0.5', '0'])('%s changes nothing', (amount) => {
    const model = 'gpt-5-mini';
    const own = { ...question, provider: 'openai' };
    const answer = { question: own, asked: model, answered: model, boundUsd: usd('1') };
    const priced = priceOfAnswer(book, answer, tokens, { chargedUsd: usd(amount) });
    expect(priced).toEqual(priceOfAnswer(book, answer, tokens));
    expect(priced).toMatchObject({ kind: 'priced', isBelieved: true });
  });
});

describe('what a provider says it charged for a model without a price', () => {
  function unknown(amount: string, model = 'house-model', asked = model) {
    const answer = { question, asked, answered: model, boundUsd: undefined };
    return priceOfAnswer(book, answer, tokens, { chargedUsd: usd(amount) });
  }

  it.each(['0.5', '10'])('is believed up to 10 US dollars: %s', (amount) => {
    const pricing = unknown(amount);
    expect(pricing).toMatchObject({ kind: 'priced', isBelieved: true });
    expect(pricing.kind === 'priced' && pricing.cost.total.toFixed()).toBe(amount);
  });

  it.each(['10.01', '90000000000000000000', '1000000000000000000000'])('is not believed at %s', (amount) => {
    expect(unknown(amount)).toMatchObject({ kind: 'unpriced', isBelieved: false });
  });

  it('is not taken for free at 0', () => {
    expect(unknown('0')).toMatchObject({ kind: 'unpriced' });
    expect(unknown('0', 'acme/unheard-of:free')).toMatchObject({ kind: 'priced' });
    const named = unknown('0', 'openai/gpt-4o-mini', 'openai/gpt-4o-mini:free');
    expect(named.kind === 'priced' && named.cost.total.toFixed()).toBe('0');
  });
});

describe('a model in the answer that no price knows', () => {
  const priced = (answered: string) =>
    priceOfAnswer(
      book,
      {
        question: { ...question, provider: 'openai' },
        asked: 'gpt-5-mini',
        answered,
        boundUsd: usd('1'),
      },
      tokens,
    );

  it.each(['gpt-5-mini-2031-01-31', 'models/gpt-5-mini', 'gpt-5-mini-latest'])(
    'is priced as the one that was asked where the name is one of that: %s',
    (answered) => {
      expect(priced(answered)).toMatchObject({ kind: 'priced', isBelieved: true });
    },
  );

  it.each(['gpt-5-mini-ultra', 'own-model', 'gpt-77'])('is unpriced where it is another: %s', (answered) => {
    expect(priced(answered)).toMatchObject({ kind: 'unpriced', isBelieved: true });
  });
});

describe('the tokens of a call', () => {
  it('are its own and those of other models, in the classes that are stored', () => {
    const parts = [{ model: 'claude-opus-4-8', tokens: { uncached_input: 2000, text_output: 40 } }];
    expect(tokensOfCall({ uncached_input: 10, cache_read: 5, cache_read_audio: 3 }, { parts })).toEqual({
      uncached_input: 2010,
      cache_read: 8,
      text_output: 40,
    });
  });
});
