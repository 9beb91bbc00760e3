import { describe } from 'vitest';
import { eventStream, nativeProviders, testNativeProvider } from '../../support/native-provider.ts';

const native = nativeProviders();

const head = { id: 'response-8', created_at: 1_790_000_000, model: 'grok-4-0709', object: 'response' };
const message = {
  type: 'message',
  id: 'msg_1',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'Four.', annotations: [] }],
};
const usage = {
  input_tokens: 1500,
  input_tokens_details: { cached_tokens: 1000 },
  output_tokens: 52,
  output_tokens_details: { reasoning_tokens: 40 },
  total_tokens: 1552,
  num_sources_used: 0,
  num_server_side_tools_used: 0,
  // 500×3 + 1000×0.75 + 52×15, a million, in ticks of 10⁻¹⁰ dollars.
  cost_in_usd_ticks: 30_300_000,
};

describe('xAI', () => {
  testNativeProvider(native, {
    title: 'responses, with what it says it charged',
    name: 'grok',
    config: (url) => ({ kind: 'xai', apiKey: 'xai-key', baseUrl: `${url}/v1` }),
    model: 'grok-4-0709',
    whole: {
      body: JSON.stringify({ ...head, status: 'completed', output: [message], usage }),
      headers: { 'x-request-id': 'xai-request' },
    },
    stream: eventStream(
      [
        { type: 'response.created', response: { ...head, status: 'in_progress', output: [] } },
        { type: 'response.output_item.added', output_index: 0, item: { ...message, content: [] } },
        {
          type: 'response.output_text.delta',
          item_id: 'msg_1',
          output_index: 0,
          content_index: 0,
          delta: 'Four.',
        },
        { type: 'response.output_item.done', output_index: 0, item: message },
        { type: 'response.completed', response: { ...head, status: 'completed', output: [message], usage } },
      ],
      { 'x-request-id': 'xai-request' },
      false,
    ),
    paths: ['/v1/responses', '/v1/responses'],
    signedWith: (headers) => headers.authorization === 'Bearer xai-key',
    tokens: { uncached_input: 500, cache_read: 1000, text_output: 12, reasoning: 40 },
    arithmetic: '500×3 + 1000×0.75 + 52×15',
    answered: 'grok-4-0709',
    requestId: 'xai-request',
  });
});
