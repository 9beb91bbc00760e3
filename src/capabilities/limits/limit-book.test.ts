import { expect, it } from 'vitest';
import { LimitBook } from './limit-book.ts';

const mini = { provider: 'openai', model: 'gpt-5-mini' };
const nano = { provider: 'openai', model: 'gpt-5-nano' };
const newBook = () =>
  new LimitBook({
    'openai/gpt-5-mini': { tokensPerMinute: 1000 },
    'openai/*': { requestsPerMinute: 60, tokensPerMinute: 500 },
  });

it('has the limits of the configuration until others are set, and again when they are reset', () => {
  const book = newBook();
  expect(book.limitOf(mini)).toEqual({ tokensPerMinute: 1000 });
  expect(book.limitOf(nano)).toEqual({ requestsPerMinute: 60, tokensPerMinute: 500 });
  expect(book.limitOf({ provider: 'anthropic', model: 'claude' })).toBeUndefined();
  expect(book.replace({ 'openai/gpt-5-mini': { requestsPerMinute: 7 } })).toBe(true);
  expect(book.limitOf(mini)).toEqual({ requestsPerMinute: 7, tokensPerMinute: 1000 });
  expect(book.replace({})).toBe(true);
  expect(book.limitOf(mini)).toEqual({ tokensPerMinute: 1000 });
});

it('sets one kind for the other models of a provider, and takes the rest for a model of its own from there', () => {
  const book = newBook();
  book.replace({ 'openai/*': { tokensPerMinute: 9 }, 'openai/gpt-5-nano': { requestsPerMinute: 1 } });
  expect(book.limitOf({ provider: 'openai', model: 'o5' })).toEqual({
    requestsPerMinute: 60,
    tokensPerMinute: 9,
  });
  expect(book.limitOf(nano)).toEqual({ requestsPerMinute: 1, tokensPerMinute: 9 });
  // One of its own in the configuration has nothing from the others.
  expect(book.limitOf(mini)).toEqual({ tokensPerMinute: 1000 });
});

it('gives the same object until something changes', () => {
  const book = newBook();
  const before = book.limitOf(nano);
  expect(book.replace({})).toBe(false);
  expect(book.limitOf(nano)).toBe(before);
  expect(book.replace({ 'openai/*': { tokensPerMinute: 9 } })).toBe(true);
  expect(book.replace({ 'openai/*': { tokensPerMinute: 9 } })).toBe(false);
  expect(book.limitOf(nano)).not.toBe(before);
});
