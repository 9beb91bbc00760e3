import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, embeddingDigest, languageDigest } from './request-digest.ts';

const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Hello' }] }];

/** The same value with the keys of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => reordered(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, reordered(item)]),
  );
}

describe('canonical JSON', () => {
  it('is the same whatever the order of keys, and reads back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(reordered(value))).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('leaves out what is absent, and tells bytes, addresses and times apart by what they are', () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
    expect(canonicalJson(new Uint8Array([1]))).not.toBe(canonicalJson(new Uint8Array([2])));
    expect(canonicalJson([new URL('https://a.example/b'), new Date(0)])).toBe(
      '["https://a.example/b","1970-01-01T00:00:00.000Z"]',
    );
  });
});

describe('the digest of a question', () => {
  it('does not depend on signals, headers or streaming', () => {
    const digest = languageDigest('openai/gpt-5', { prompt, temperature: 0 });
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    const same = {
      prompt,
      temperature: 0,
      abortSignal: new AbortController().signal,
      headers: { a: 'b' },
      includeRawChunks: true,
    };
    expect(languageDigest('openai/gpt-5', same)).toBe(digest);
  });

  it('depends on everything that the answer can depend on', () => {
    const digests = [
      languageDigest('openai/gpt-5', { prompt }),
      languageDigest('openai/gpt-5-mini', { prompt }),
      languageDigest('openai/gpt-5', { prompt, temperature: 1 }),
      languageDigest('openai/gpt-5', { prompt, seed: 1 }),
      languageDigest('openai/gpt-5', { prompt, maxOutputTokens: 5 }),
      languageDigest('openai/gpt-5', { prompt, responseFormat: { type: 'json' } }),
      languageDigest('openai/gpt-5', { prompt, providerOptions: { openai: { serviceTier: 'flex' } } }),
      languageDigest('openai/gpt-5', { prompt, tools: [{ type: 'function', name: 'x', inputSchema: {} }] }),
      languageDigest('openai/gpt-5', { prompt: [{ role: 'system', content: 'Hello' }] }),
      embeddingDigest('openai/gpt-5', { values: ['Hello'] }),
      embeddingDigest('openai/gpt-5', { values: ['Hello'], dimensions: 8 }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});
