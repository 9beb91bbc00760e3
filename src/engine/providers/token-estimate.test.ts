import { Tiktoken } from 'tiktoken/lite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { encodingOf, estimateTokens } from './token-estimate.ts';

describe('counted tokens', () => {
  it('are exact for short text', async () => {
    expect(await estimateTokens('gpt-5-mini', 'The quick brown fox jumps over the lazy dog.')).toBe(10);
    expect(await estimateTokens('gpt-5-mini', '')).toBe(0);
  });

  it('of a long text are near the truth, and encode little of it at once', async () => {
    const sentence = 'The quick brown fox jumps over the lazy dog. ';
    const encode = vi.spyOn(Tiktoken.prototype, 'encode_ordinary');
    onTestFinished(() => encode.mockRestore());
    const tokens = await estimateTokens('gpt-5-mini', sentence.repeat(20_000));
    const nasty = await estimateTokens('gpt-5-mini', 'a'.repeat(1_000_000));
    // The encoder holds up the event loop, for the square of a run without spaces.
    const lengths = encode.mock.calls.map(([text]) => text.length);
    expect(lengths.length).toBe(12);
    expect(Math.max(...lengths)).toBe(1000);
    expect(tokens / 200_000).toBeGreaterThan(0.95);
    expect(tokens / 200_000).toBeLessThan(1.05);
    expect(nasty).toBeGreaterThan(100_000);
  });

  it('take a text with lone surrogates', async () => {
    expect(await estimateTokens('gpt-5-mini', '\ud800 \u0000')).toBeGreaterThan(0);
  });

  it.each([
    ['gpt-4', 'cl100k_base'],
    ['gpt-4-turbo', 'cl100k_base'],
    ['text-embedding-3-small', 'cl100k_base'],
    ['gpt-4o', 'o200k_base'],
    ['gpt-4.1', 'o200k_base'],
    ['gpt-5', 'o200k_base'],
    ['claude-haiku-4-5', 'o200k_base'],
  ] as const)('%s is counted by %s', (model, encoding) => {
    expect(encodingOf(model)).toBe(encoding);
  });
});
