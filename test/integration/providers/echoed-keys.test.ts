import { generateText, streamText } from 'ai';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../../support/models-harness.ts';
import { frameStream, nativeProviders } from '../../support/native-provider.ts';

const native = nativeProviders();

const apiKey = 'bedrock-key-0123456789abcdef';
const model = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
const usage = { inputTokens: 30, outputTokens: 12, totalTokens: 42 };

describe('a key that the provider sends back', () => {
  it('is taken out of the frames of a binary stream', async () => {
    native.answerWith(
      frameStream([
        ['messageStart', { role: 'assistant' }],
        ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: `You sent ${apiKey}.` } }],
        ['contentBlockStop', { contentBlockIndex: 0 }],
        ['messageStop', { stopReason: 'end_turn' }],
        ['metadata', { usage }],
      ]),
    );
    const scope = await native.open('bedrock', { kind: 'bedrock', apiKey, baseUrl: native.url });
    const { text } = streamText({ model: scope.languageModel(`bedrock/${model}`), prompt: 'Which key?' });
    expect(await text).toBe('You sent [redacted].');
    await scope.close();
    const [row] = await native.models.callRows();
    expect(row).toMatchObject({ settlement: 'reported' });
    expect(JSON.stringify(row)).not.toContain(apiKey);
  });

  it('is taken out of a refusal, which is free', async () => {
    native.answerWith({ body: JSON.stringify({ message: `The key ${apiKey} is not valid.` }) }, 403);
    const scope = await native.open('bedrock', { kind: 'bedrock', apiKey, baseUrl: native.url });
    const error = await failureOf(
      generateText({ model: scope.languageModel(`bedrock/${model}`), prompt: 'Which key?' }),
    );
    await scope.close();
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_AUTHENTICATION' });
    expect(error.message).not.toContain(apiKey);
    expect(await native.models.callRows()).toMatchObject([{ settlement: 'free', cost_usd: '0' }]);
  });

  it('is an error of the stream when AWS says one before any part of an answer', async () => {
    native.answerWith(frameStream([['throttlingException', { message: 'Too many requests' }]]));
    const scope = await native.open('bedrock', { kind: 'bedrock', apiKey, baseUrl: native.url });
    const error = await failureOf(
      streamText({
        model: scope.languageModel(`bedrock/${model}`),
        prompt: 'Which key?',
        onError: () => undefined,
      }).text,
    );
    await scope.close();
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_RATE_LIMITED', retryable: true });
  });
});
