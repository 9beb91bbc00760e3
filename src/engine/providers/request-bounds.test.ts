import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { describe, expect, it } from 'vitest';
import { ProviderRegistry } from './provider-registry.ts';
import { embeddingBounds, languageBounds, requestedTier } from './request-bounds.ts';
import { ScriptedModel } from '../../testing/scripted-model.ts';
import { estimateTokens } from './token-estimate.ts';

const custom = { kind: 'custom' as const, model: (): LanguageModelV4 => new ScriptedModel([]) };
const registry = await ProviderRegistry.open({ own: custom, anthropic: { kind: 'anthropic', apiKey: 'k' } });
const own = registry.languageModel('own/m');
const claude = registry.languageModel('anthropic/claude-haiku-4-5');
const limits = { maxOutputTokens: 64_000, contextTokens: 200_000 };

const say = (text: string): LanguageModelV4CallOptions => ({
  prompt: [{ role: 'user', content: [{ type: 'text', text }] }],
});

describe('the bounds of a request', () => {
  it.each([
    'Hello world. '.repeat(50),
    'žluťoučký kůň '.repeat(20),
    '混排文字测试。'.repeat(30),
    '👩‍👩‍👧‍👦'.repeat(20),
    '\u0001\u0002',
  ])('are above what any text has in tokens', async (text) => {
    const { maxInputTokens } = languageBounds(own, say(text), limits);
    expect(maxInputTokens).toBeGreaterThan(await estimateTokens('gpt-5', text));
    expect(maxInputTokens).toBeGreaterThan(Buffer.byteLength(text));
    expect(embeddingBounds({ values: [text] })).toMatchObject({ maxOutputTokens: 0 });
  });

  it('count tools, schemas, files and results of tools', () => {
    const base = languageBounds(own, say('x'), limits).maxInputTokens;
    const more = (options: LanguageModelV4CallOptions) =>
      languageBounds(own, options, limits).maxInputTokens - base;
    const inputSchema = { type: 'object' as const, description: 'x'.repeat(500) };
    expect(more({ ...say('x'), tools: [{ type: 'function', name: 't', inputSchema }] })).toBeGreaterThan(500);
    expect(more({ ...say('x'), responseFormat: { type: 'json', schema: inputSchema } })).toBeGreaterThan(500);
    expect(
      more({ ...say('x'), tools: [{ type: 'provider', id: 'a.search', name: 's', args: {} }] }),
    ).toBeGreaterThan(limits.contextTokens);
    const image = {
      type: 'file' as const,
      mediaType: 'image/png',
      data: { type: 'data' as const, data: 'aGk=' },
    };
    expect(more({ prompt: [{ role: 'user', content: [image] }] })).toBeGreaterThan(10_000);
    const output = { type: 'text' as const, value: 'y'.repeat(900) };
    const result = { type: 'tool-result' as const, toolCallId: 'c', toolName: 't', output };
    expect(more({ prompt: [{ role: 'tool', content: [result] }] })).toBeGreaterThan(850);
  });

  it('take the asked length of the answer, else the longest that the model gives', () => {
    expect(languageBounds(own, { ...say('x'), maxOutputTokens: 100 }, limits).maxOutputTokens).toBe(100);
    expect(languageBounds(own, say('x'), limits).maxOutputTokens).toBe(64_000);
    expect(languageBounds(own, say('x'), {}).maxOutputTokens).toBe(128_000);
  });

  it('leave room for what Anthropic thinks on top of the asked length', () => {
    const asked = { ...say('x'), maxOutputTokens: 100 };
    const thinking = { anthropic: { thinking: { type: 'enabled', budgetTokens: 5000 } } };
    expect(languageBounds(claude, asked, limits).maxOutputTokens).toBe(100);
    expect(languageBounds(claude, { ...asked, providerOptions: thinking }, limits).maxOutputTokens).toBe(
      64_000,
    );
    expect(languageBounds(claude, { ...asked, reasoning: 'high' }, limits).maxOutputTokens).toBe(64_000);
  });
});

describe('the tier that is asked for', () => {
  it.each([
    [{}, 'default'],
    [{ openai: { serviceTier: 'auto' } }, 'default'],
    [{ openai: { serviceTier: 'flex' } }, 'flex'],
    [{ anthropic: { serviceTier: 'standard_only' } }, 'default'],
    [{ anthropic: { speed: 'fast' } }, 'fast'],
  ] as const)('in %j is %s', (providerOptions, tier) => {
    expect(requestedTier({ providerOptions })).toBe(tier);
  });
});
