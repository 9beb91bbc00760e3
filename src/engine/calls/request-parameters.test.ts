import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { describe, expect, it } from 'vitest';
import { derivedSeed, languageParameters } from './request-parameters.ts';

const read = (options: Partial<LanguageModelV4CallOptions>, seed?: number): unknown =>
  JSON.parse(languageParameters({ prompt: [], ...options }, seed));

describe('the parameters of a request', () => {
  it('hold what was set, and nothing of what was asked', () => {
    const prompt: LanguageModelV4CallOptions['prompt'] = [
      { role: 'user', content: [{ type: 'text', text: 'a secret' }] },
    ];
    expect(read({ prompt })).toEqual({});
    expect(
      read({
        prompt,
        seed: 7,
        temperature: 0.5,
        topP: 0.9,
        maxOutputTokens: 100,
        stopSequences: ['END'],
        responseFormat: { type: 'json', schema: { type: 'object' } },
        tools: [{ type: 'function', name: 'look', inputSchema: { type: 'object' } }],
        toolChoice: { type: 'auto' },
        providerOptions: { openai: { user: 'a secret' } },
      }),
    ).toEqual({
      seed: 7,
      temperature: 0.5,
      topP: 0.9,
      maxOutputTokens: 100,
      stop: ['END'],
      responseFormat: 'json',
      tools: ['look'],
      toolChoice: 'auto',
      providerOptions: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
  });

  it('say whether the seed was derived; the user\u2019s own comes first', () => {
    expect(read({}, 5)).toEqual({ seed: 5, isSeedDerived: true });
    expect(read({ seed: 7 }, 5)).toEqual({ seed: 7 });
  });

  it('stay small, whatever a request is like', () => {
    const tools = Array.from({ length: 1000 }, (_item, index) => ({
      type: 'function' as const,
      name: `${index}${'x'.repeat(10_000)}`,
      inputSchema: {},
    }));
    const stopSequences = Array.from({ length: 1000 }, () => 'y'.repeat(10_000));
    expect(languageParameters({ prompt: [], tools, stopSequences }).length).toBeLessThan(6000);
  });
});

describe('a derived seed', () => {
  it('follows from its place, and every attempt has its own', () => {
    const seeds = [1, 2, 3].map((attempt) => derivedSeed('message', 'step', 1, attempt));
    expect(new Set(seeds).size).toBe(3);
    expect(seeds[0]).toBe(derivedSeed('message', 'step', 1, 1));
    for (const seed of seeds) expect(seed >= 0 && seed < 2 ** 31).toBe(true);
  });
});
