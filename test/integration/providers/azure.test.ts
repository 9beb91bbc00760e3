import { describe } from 'vitest';
import { eventStream, nativeProviders, testNativeProvider } from '../../support/native-provider.ts';

const native = nativeProviders();

const headers = { 'x-request-id': 'azure-request-1', 'apim-request-id': 'apim-1' };
const usage = {
  prompt_tokens: 1500,
  completion_tokens: 12,
  total_tokens: 1512,
  prompt_tokens_details: { cached_tokens: 1000, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
};
const chat = { id: 'chatcmpl-1', created: 1_790_000_000, model: 'gpt-4.1-2025-04-14' };
const response = {
  id: 'resp_1',
  created_at: 1_790_000_000,
  model: 'gpt-4.1-2025-04-14',
  service_tier: 'default',
};
const responseUsage = {
  input_tokens: 1500,
  input_tokens_details: { cached_tokens: 1000 },
  output_tokens: 12,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 1512,
};
const message = {
  type: 'message',
  id: 'msg_1',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'Four.', annotations: [] }],
};

// The deployment has a name of its own: the price is that of the model that answered.
const read = {
  name: 'azure',
  model: 'prod-chat',
  tokens: { uncached_input: 500, cache_read: 1000, text_output: 12 },
  arithmetic: '500×2 + 1000×0.5 + 12×8',
  answered: 'gpt-4.1-2025-04-14',
  requestId: 'azure-request-1',
  signedWith: (sent: Readonly<Record<string, unknown>>) => sent['api-key'] === 'azure-key',
};

describe('Azure OpenAI', () => {
  testNativeProvider(native, {
    title: 'chat completions of a deployment, by the addresses before v1',
    ...read,
    config: (url) => ({
      kind: 'azure',
      api: 'chat',
      apiKey: 'azure-key',
      baseUrl: `${url}/openai`,
      deploymentUrls: true,
      apiVersion: '2025-04-01-preview',
    }),
    whole: {
      headers,
      body: JSON.stringify({
        ...chat,
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: 'Four.' }, finish_reason: 'stop' }],
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
        usage,
      }),
    },
    stream: eventStream(
      [
        { choices: [], prompt_filter_results: [{ prompt_index: 0 }], id: '', model: '', created: 0 },
        { ...chat, choices: [{ index: 0, delta: { role: 'assistant', content: 'Four.' } }] },
        { ...chat, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
        { ...chat, choices: [], usage },
      ],
      headers,
    ),
    paths: [
      '/openai/deployments/prod-chat/chat/completions?api-version=2025-04-01-preview',
      '/openai/deployments/prod-chat/chat/completions?api-version=2025-04-01-preview',
    ],
  });
  testNativeProvider(native, {
    title: 'responses',
    ...read,
    config: (url) => ({ kind: 'azure', apiKey: 'azure-key', baseUrl: `${url}/openai/v1` }),
    whole: {
      headers,
      body: JSON.stringify({
        ...response,
        object: 'response',
        status: 'completed',
        output: [message],
        usage: responseUsage,
      }),
    },
    stream: eventStream(
      [
        { type: 'response.created', response: { ...response, status: 'in_progress', output: [] } },
        { type: 'response.output_item.added', output_index: 0, item: { ...message, content: [] } },
        {
          type: 'response.output_text.delta',
          item_id: 'msg_1',
          output_index: 0,
          content_index: 0,
          delta: 'Four.',
        },
        { type: 'response.output_item.done', output_index: 0, item: message },
        {
          type: 'response.completed',
          response: { ...response, status: 'completed', output: [message], usage: responseUsage },
        },
      ],
      headers,
      false,
    ),
    paths: ['/openai/v1/responses', '/openai/v1/responses'],
  });
});
