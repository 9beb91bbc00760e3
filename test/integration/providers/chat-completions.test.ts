import { describe } from 'vitest';
import {
  eventStream,
  type NativeCase,
  nativeProviders,
  testNativeProvider,
} from '../../support/native-provider.ts';

/*
 * Providers whose packages speak OpenAI's chat completions with fields of their own. What differs is in each one's usage.
 */

const native = nativeProviders();

interface Dialect {
  readonly usage: Readonly<Record<string, unknown>>;
  readonly answered: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the body has besides. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** The last chunk of a stream, where it is not a chunk without choices. */
  readonly last?: Readonly<Record<string, unknown>>;
}

const id = 'generation-5';

/** A whole answer and a stream in a dialect of chat completions. */
function chat({ usage, answered, headers, more, last }: Dialect): Pick<NativeCase, 'whole' | 'stream'> {
  const head = { id, created: 1_790_000_000, model: answered, ...more };
  return {
    whole: {
      ...(headers === undefined ? {} : { headers }),
      body: JSON.stringify({
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: 'Four.' }, finish_reason: 'stop' }],
        usage,
      }),
    },
    stream: eventStream(
      [
        {
          ...head,
          choices: [{ index: 0, delta: { role: 'assistant', content: 'Fo' }, finish_reason: null }],
        },
        { ...head, choices: [{ index: 0, delta: { content: 'ur.' }, finish_reason: null }] },
        ...(last === undefined
          ? [
              { ...head, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
              { ...head, choices: [], usage },
            ]
          : [{ ...head, choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop' }], ...last }]),
      ],
      headers,
    ),
  };
}

function bearer(key: string): NativeCase['signedWith'] {
  return (headers) => headers.authorization === `Bearer ${key}`;
}

const bothPaths = (path: string): readonly [string, string] => [path, path];

const mistral = {
  prompt_tokens: 1500,
  completion_tokens: 12,
  total_tokens: 1512,
  num_cached_tokens: 1000,
};
/** When DeepSeek costs half, by UTC. */
function isAtNight(at: Date): boolean {
  const minutes = at.getUTCHours() * 60 + at.getUTCMinutes();
  return minutes >= 16 * 60 + 30 || minutes < 30;
}

const deepseek = {
  prompt_tokens: 1500,
  completion_tokens: 52,
  total_tokens: 1552,
  prompt_cache_hit_tokens: 1000,
  prompt_cache_miss_tokens: 500,
  completion_tokens_details: { reasoning_tokens: 40 },
};
const groq = {
  queue_time: 0.02,
  prompt_tokens: 1500,
  prompt_time: 0.01,
  completion_tokens: 52,
  completion_time: 0.1,
  total_tokens: 1552,
  total_time: 0.11,
  prompt_tokens_details: { cached_tokens: 1000 },
  completion_tokens_details: { reasoning_tokens: 40 },
};
const plain = { prompt_tokens: 1500, completion_tokens: 12, total_tokens: 1512 };
const fireworks = { ...plain, prompt_tokens_details: { cached_tokens: 1000 } };
const perplexity = {
  prompt_tokens: 26,
  completion_tokens: 832,
  total_tokens: 858,
  citation_tokens: 17_000,
  num_search_queries: 18,
  reasoning_tokens: 9000,
};
const openrouter = {
  prompt_tokens: 900,
  completion_tokens: 69,
  total_tokens: 969,
  cost: 0.0160614,
  is_byok: false,
  prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
  cost_details: { upstream_inference_cost: null },
};

const cached = { uncached_input: 500, cache_read: 1000 };

describe('providers of chat completions', () => {
  testNativeProvider(native, {
    title: 'Mistral, with cached tokens in a field of its own',
    name: 'mistral',
    config: (url) => ({ kind: 'mistral', apiKey: 'mistral-key', baseUrl: `${url}/v1` }),
    model: 'mistral-medium-2508',
    ...chat({ usage: mistral, answered: 'mistral-medium-2508', last: { usage: mistral } }),
    paths: bothPaths('/v1/chat/completions'),
    signedWith: bearer('mistral-key'),
    tokens: { ...cached, text_output: 12 },
    arithmetic: '500×0.4 + 1000×0.04 + 12×2',
    answered: 'mistral-medium-2508',
    requestId: id,
  });
  testNativeProvider(native, {
    title: 'DeepSeek, with hits of its cache and reasoning',
    name: 'deepseek',
    config: (url) => ({ kind: 'deepseek', apiKey: 'deepseek-key', baseUrl: url }),
    model: 'deepseek-chat',
    ...chat({
      usage: deepseek,
      answered: 'deepseek-chat',
      last: { usage: deepseek },
      headers: { 'x-ds-trace-id': 'trace' },
    }),
    paths: bothPaths('/chat/completions'),
    signedWith: bearer('deepseek-key'),
    tokens: { ...cached, text_output: 12, reasoning: 40 },
    // Half of it from 16:30 to 00:30 UTC.
    arithmetic: (at) =>
      isAtNight(at) ? '500×0.135 + 1000×0.035 + 52×0.55' : '500×0.27 + 1000×0.07 + 52×1.1',
    answered: 'deepseek-chat',
    requestId: id,
  });
  testNativeProvider(native, {
    title: 'Groq, with the usage of a stream beside its usual place',
    name: 'groq',
    config: (url) => ({ kind: 'groq', apiKey: 'groq-key', baseUrl: `${url}/openai/v1` }),
    model: 'openai/gpt-oss-120b',
    ...chat({
      usage: groq,
      answered: 'openai/gpt-oss-120b',
      headers: { 'x-request-id': 'req_groq' },
      more: { service_tier: 'on_demand' },
      last: { x_groq: { id: 'req_groq', usage: groq } },
    }),
    paths: bothPaths('/openai/v1/chat/completions'),
    signedWith: bearer('groq-key'),
    tokens: { ...cached, text_output: 12, reasoning: 40 },
    arithmetic: '500×0.15 + 1000×0.075 + 52×0.6',
    tier: 'default',
    answered: 'openai/gpt-oss-120b',
    requestId: 'req_groq',
  });
  testNativeProvider(native, {
    title: 'Together',
    name: 'together',
    config: (url) => ({ kind: 'together', apiKey: 'together-key', baseUrl: `${url}/v1` }),
    model: 'meta-llama/Llama-3.3-70B-Instruct-Turbo',
    ...chat({ usage: plain, answered: 'meta-llama/Llama-3.3-70B-Instruct-Turbo' }),
    paths: bothPaths('/v1/chat/completions'),
    signedWith: bearer('together-key'),
    tokens: { uncached_input: 1500, text_output: 12 },
    arithmetic: '1500×0.88 + 12×0.88',
    answered: 'meta-llama/Llama-3.3-70B-Instruct-Turbo',
    requestId: id,
  });
  testNativeProvider(native, {
    title: 'Fireworks',
    name: 'fireworks',
    config: (url) => ({ kind: 'fireworks', apiKey: 'fireworks-key', baseUrl: `${url}/inference/v1` }),
    model: 'accounts/fireworks/models/gpt-oss-120b',
    ...chat({ usage: fireworks, answered: 'accounts/fireworks/models/gpt-oss-120b' }),
    paths: bothPaths('/inference/v1/chat/completions'),
    signedWith: bearer('fireworks-key'),
    tokens: { ...cached, text_output: 12 },
    arithmetic: '500×0.15 + 1000×0.014 + 12×0.6',
    answered: 'accounts/fireworks/models/gpt-oss-120b',
    requestId: id,
  });
  testNativeProvider(native, {
    title: 'Perplexity, with citations, reasoning and searches beside the completion',
    name: 'perplexity',
    config: (url) => ({ kind: 'perplexity', apiKey: 'perplexity-key', baseUrl: url }),
    model: 'sonar-deep-research',
    ...chat({
      usage: perplexity,
      answered: 'sonar-deep-research',
      more: { citations: ['https://example.org/a'] },
      last: { usage: perplexity },
    }),
    paths: bothPaths('/chat/completions'),
    signedWith: bearer('perplexity-key'),
    tokens: { uncached_input: 26, text_output: 17_832, reasoning: 9000 },
    arithmetic: '26×2 + 832×8 + 17000×2 + 9000×3 + 18×5000',
    answered: 'sonar-deep-research',
    requestId: id,
  });
  testNativeProvider(native, {
    title: 'OpenRouter, with what it says it charged',
    name: 'openrouter',
    config: (url) => ({ kind: 'openrouter', apiKey: 'openrouter-key', baseUrl: `${url}/api/v1` }),
    model: 'openai/gpt-4o-mini',
    ...chat({ usage: openrouter, answered: 'openai/gpt-4o-mini', more: { provider: 'OpenAI' } }),
    paths: bothPaths('/api/v1/chat/completions'),
    signedWith: bearer('openrouter-key'),
    tokens: { uncached_input: 900, text_output: 69 },
    arithmetic: '16061.4',
    answered: 'openai/gpt-4o-mini',
    requestId: id,
  });
});
