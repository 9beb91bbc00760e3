import { describe, expect, it } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { ProviderRegistry } from './provider-registry.ts';
import { ScriptedEmbeddingModel, ScriptedModel } from '../../testing/scripted-model.ts';

const registry = await ProviderRegistry.open({
  openai: { kind: 'openai', apiKey: 'k' },
  chat: { kind: 'openai', api: 'chat', apiKey: 'k', priceProvider: 'openai', timeoutMs: 5 },
  anthropic: { kind: 'anthropic', apiKey: 'k' },
  local: { kind: 'openai-compatible', baseUrl: 'http://127.0.0.1:1/v1' },
  scripted: {
    kind: 'custom',
    model: (id) => (id === 'e' ? new ScriptedEmbeddingModel() : new ScriptedModel([], id)),
  },
});

describe('a reference to a model', () => {
  it.each([
    ['openai/gpt-5-mini', 'openai.responses', 'gpt-5-mini'],
    ['chat/gpt-5-mini', 'openai.chat', 'gpt-5-mini'],
    ['anthropic/claude-haiku-4-5', 'anthropic.messages', 'claude-haiku-4-5'],
    ['local/meta/llama-4', 'local.chat', 'meta/llama-4'],
    ['scripted/any', 'scripted', 'any'],
  ])('%s is found at the first slash', (reference, provider, modelId) => {
    expect(registry.languageModel(reference).model).toMatchObject({ provider, modelId });
  });

  it('is made once', () => {
    expect(registry.languageModel('openai/gpt-5')).toBe(registry.languageModel('openai/gpt-5'));
  });

  it('carries how to price and bound its calls', () => {
    expect(registry.languageModel('chat/gpt-5')).toMatchObject({
      priceProvider: 'openai',
      timeoutMs: 5,
      identify: false,
    });
    expect(registry.languageModel('local/x')).toMatchObject({ priceProvider: 'local', timeoutMs: 600_000 });
  });

  it('says which variable brings the provider that is missing, and what needs none', async () => {
    const none = await ProviderRegistry.open({});
    const ask = (reference: string) => () => none.languageModel(reference);
    expect(ask('openai/gpt-5-mini')).toThrow(
      /configured are: none\. Set OPENAI_API_KEY .* "millrace simulator"/,
    );
    expect(ask('anthropic/claude-haiku-4-5')).toThrow(/Set ANTHROPIC_API_KEY /);
    expect(ask('nowhere/gpt-5')).toThrow(/Correct the name, .* no other setting are: .*openai.*\.$/);
    expect(() => registry.languageModel('openai/')).not.toThrow(/OPENAI_API_KEY/);
  });

  it.each([
    'gpt-5',
    'nowhere/gpt-5',
    'openai/',
    '/gpt-5',
    '',
    'scripted/e',
    'openai/gpt\ud83d',
    'openai/gpt\u0000',
    `openai/${'x'.repeat(300)}`,
  ])('"%s" is refused', (reference) => {
    expect(() => registry.languageModel(reference)).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_MODEL_UNKNOWN',
        message: expect.stringContaining('openai, chat'),
      }),
    );
  });

  it('to an embedding model is told from one to a language model', () => {
    expect(registry.embeddingModel('openai/text-embedding-3-small').model.modelId).toBe(
      'text-embedding-3-small',
    );
    expect(() => registry.embeddingModel('anthropic/claude-haiku-4-5')).toThrow(/no model/);
    expect(() => registry.embeddingModel('scripted/any')).toThrow(/no model/);
  });
});

describe('a configuration', () => {
  it('that is wrong is refused with every fault', () => {
    const wrong = () =>
      new ProviderRegistry({
        'a/b': { kind: 'openai' },
        local: { kind: 'openai-compatible' },
        other: { kind: 'anthropic', baseUrl: 'nowhere', timeoutMs: 0 },
      });
    expect(wrong).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_CONFIG_INVALID',
        faults: ['a/b', 'local.baseUrl', 'other.baseUrl', 'other.timeoutMs'].map((field) =>
          expect.objectContaining({ field: `models.providers.${field}` }),
        ),
      }),
    );
  });
});

describe('an address', () => {
  it.each([
    'https://user:pass-4711@models.internal/v1',
    'https://pass-4711@models.internal/v1',
    'https://:pass-4711@h',
  ])('with a user name or a password is refused without being repeated (%#)', (baseUrl) => {
    const refusal = (() => {
      try {
        return new ProviderRegistry({ one: { kind: 'openai', apiKey: 'k', baseUrl } });
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toMatchObject({
      code: 'MILLRACE_CONFIG_INVALID',
      faults: [{ field: 'models.providers.one.baseUrl' }],
    });
    expect(JSON.stringify([refusal, String(refusal)])).not.toContain('4711');
  });
});

describe('a package that is not installed', () => {
  it('is missed by whoever asks for its models, when only the environment made the provider', () => {
    const missing = new AppError('MILLRACE_PACKAGE_MISSING', 'npm install "@ai-sdk/google@^4.0.0"');
    const partly = new ProviderRegistry(
      {
        google: { kind: 'google', apiKey: 'k', isImplied: true },
        scripted: { kind: 'custom', model: (id) => new ScriptedModel([], id) },
      },
      new Map(),
      undefined,
      new Map([['google', missing]]),
    );
    expect(partly.names).toEqual(['scripted']);
    expect(partly.languageModel('scripted/any').modelId).toBe('any');
    for (const name of ['google', 'gemini']) {
      expect(() => partly.languageModel(`${name}/gemini-2.5-pro`)).toThrow(missing);
    }
  });
});
