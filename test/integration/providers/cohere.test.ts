import { describe } from 'vitest';
import { eventStream, nativeProviders, testNativeProvider } from '../../support/native-provider.ts';

const native = nativeProviders();

const usage = {
  billed_units: { input_tokens: 120, output_tokens: 12 },
  tokens: { input_tokens: 540, output_tokens: 14 },
  cached_tokens: 64,
};

describe('Cohere', () => {
  // Billed is what stands in `billed_units`, not what the model worked on.
  testNativeProvider(native, {
    title: 'chat',
    name: 'cohere',
    config: (url) => ({ kind: 'cohere', apiKey: 'cohere-key', baseUrl: `${url}/v2` }),
    model: 'command-a-03-2025',
    whole: {
      body: JSON.stringify({
        id: 'generation-9',
        message: { role: 'assistant', content: [{ type: 'text', text: 'Four.' }] },
        finish_reason: 'COMPLETE',
        usage,
      }),
    },
    stream: eventStream(
      [
        { type: 'message-start', id: 'generation-9', delta: { message: { role: 'assistant', content: [] } } },
        { type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } },
        { type: 'content-delta', index: 0, delta: { message: { content: { text: 'Four.' } } } },
        { type: 'content-end', index: 0 },
        { type: 'message-end', delta: { finish_reason: 'COMPLETE', usage } },
      ],
      {},
      false,
    ),
    paths: ['/v2/chat', '/v2/chat'],
    signedWith: (headers) => headers.authorization === 'Bearer cohere-key',
    tokens: { uncached_input: 120, text_output: 12 },
    arithmetic: '120×2.5 + 12×10',
    // Cohere does not say which model answered.
    answered: null,
    requestId: 'generation-9',
  });
});
