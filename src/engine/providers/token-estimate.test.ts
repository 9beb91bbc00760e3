import { describe, expect, it } from 'vitest';
import { encodingOf, estimateTokens } from './token-estimate.ts';

describe('counted tokens', () => {
  it('are exact for short text', async () => {
    expect(await estimateTokens('gpt-5-mini', 'The quick brown fox jumps over the lazy dog.')).toBe(10);
    expect(await estimateTokens('gpt-5-mini', '')).toBe(0);
  });

  it('of a long text are near the truth, and do not hold up the event loop', async () => {
    const sentence = 'The quick brown fox jumps over the lazy dog. ';
    await estimateTokens('gpt-5-mini', sentence);
    const startedMs = performance.now();
    const tokens = await estimateTokens('gpt-5-mini', sentence.repeat(20_000));
    const nasty = await estimateTokens('gpt-5-mini', 'a'.repeat(1_000_000));
    // Two estimates; unsliced, the second text alone takes minutes.
    expect(performance.now() - startedMs).toBeLessThan(500);
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
