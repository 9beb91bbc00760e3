import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { beforeAll, describe, expect, it } from 'vitest';
import { ScriptedModel } from '../../testing/scripted-model.ts';
import { renderRequest, resultOfProviderAnswer } from './provider-exchange.ts';
import { ProviderRegistry } from './provider-registry.ts';

let registry: ProviderRegistry;
beforeAll(async () => {
  registry = await ProviderRegistry.open({
    openai: { kind: 'openai', apiKey: 'sk-0123456789abcdef', baseUrl: 'https://models.example/openai/v1' },
    chat: { kind: 'openai', apiKey: 'key', api: 'chat' },
    anthropic: { kind: 'anthropic', apiKey: 'key' },
    scripted: { kind: 'custom', model: () => new ScriptedModel(() => 'yes', 'gpt-5-mini') },
  });
});

const options: LanguageModelV4CallOptions = {
  prompt: [{ role: 'user', content: [{ type: 'text', text: 'Name a city.' }] }],
  maxOutputTokens: 50,
  responseFormat: {
    type: 'json',
    schema: { type: 'object', properties: { city: { type: 'string' } }, additionalProperties: false },
  },
};

describe('a rendered request', () => {
  it.each([
    ['openai/gpt-5-mini', '/openai/v1/responses'],
    ['chat/gpt-4.1', '/v1/chat/completions'],
    ['anthropic/claude-haiku-4-5', '/v1/messages'],
  ])('of %s is what would be sent to %s', async (reference, path) => {
    const target = registry.languageModel(reference);
    const request = await renderRequest(target, options);
    expect(request?.path).toBe(path);
    const body = JSON.parse(request?.body ?? '{}') as { model?: string; stream?: boolean };
    expect(body.model).toBe(target.modelId);
    expect(body.stream).toBeUndefined();
    expect(request?.body).toContain('Name a city.');
    expect(request?.headers['content-type']).toBe('application/json');
  });

  it('is none of a model in this process', async () => {
    expect(await renderRequest(registry.languageModel('scripted/any'), options)).toBeUndefined();
  });
});

describe('an answer that came apart from its request', () => {
  it('is what the model makes of it, and no request leaves', async () => {
    const result = await resultOfProviderAnswer(registry.languageModel('chat/gpt-4.1'), options, {
      statusCode: 200,
      body: JSON.stringify({
        id: 'c1',
        object: 'chat.completion',
        created: 1,
        model: 'gpt-4.1',
        choices: [
          { index: 0, message: { role: 'assistant', content: '{"city":"Oslo"}' }, finish_reason: 'stop' },
        ],
        usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
      }),
    });
    expect(result.content).toEqual([expect.objectContaining({ type: 'text', text: '{"city":"Oslo"}' })]);
    expect(result.finishReason.unified).toBe('stop');
    expect(result.usage.inputTokens.total).toBe(12);
  });

  it('throws what the model throws of one that it cannot read', async () => {
    const told = resultOfProviderAnswer(registry.languageModel('chat/gpt-4.1'), options, {
      statusCode: 200,
      body: '{"choices":"none"}',
    });
    await expect(told).rejects.toThrow();
  });
});
