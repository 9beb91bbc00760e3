import { describe } from 'vitest';
import {
  eventStream,
  type NativeCase,
  nativeProviders,
  testNativeProvider,
} from '../../support/native-provider.ts';

const native = nativeProviders();

const usageMetadata = {
  promptTokenCount: 1500,
  cachedContentTokenCount: 1000,
  candidatesTokenCount: 12,
  thoughtsTokenCount: 40,
  totalTokenCount: 1552,
  promptTokensDetails: [
    { modality: 'TEXT', tokenCount: 1200 },
    { modality: 'AUDIO', tokenCount: 300 },
  ],
  cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 1000 }],
};

const claude = { type: 'message', id: 'msg_vrtx_1', role: 'assistant', model: 'claude-sonnet-4-5-20250929' };
const claudeUsage = {
  input_tokens: 200,
  output_tokens: 1,
  cache_read_input_tokens: 1000,
  cache_creation_input_tokens: 300,
  cache_creation: { ephemeral_5m_input_tokens: 300, ephemeral_1h_input_tokens: 0 },
};

function answerOf(text: string, more: Readonly<Record<string, unknown>>) {
  return {
    candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, ...more }],
    modelVersion: 'gemini-2.5-flash',
    responseId: 'response-17',
  };
}

function wordsOf(usage: Readonly<Record<string, unknown>>): Pick<NativeCase, 'whole' | 'stream'> {
  const { thoughtsTokenCount: _thoughts, ...first } = { ...usageMetadata, candidatesTokenCount: 3 };
  return {
    whole: {
      body: JSON.stringify({ ...answerOf('Four.', { finishReason: 'STOP' }), usageMetadata: usage }),
    },
    stream: eventStream(
      [
        { ...answerOf('Fo', {}), usageMetadata: { ...first, totalTokenCount: 1503 } },
        { ...answerOf('ur.', { finishReason: 'STOP' }), usageMetadata: usage },
      ],
      {},
      false,
    ),
  };
}

const read = {
  model: 'gemini-2.5-flash',
  tokens: { uncached_input: 200, cache_read: 1000, audio_input: 300, text_output: 12, reasoning: 40 },
  arithmetic: '200×0.3 + 1000×0.03 + 300×1 + 52×2.5',
  answered: 'gemini-2.5-flash',
  requestId: 'response-17',
};

describe('Google', () => {
  testNativeProvider(native, {
    title: 'the Gemini API',
    name: 'gemini',
    config: (url) => ({ kind: 'google', apiKey: 'gemini-key', baseUrl: `${url}/v1beta` }),
    ...read,
    ...wordsOf({ ...usageMetadata, serviceTier: 'standard' }),
    paths: [
      '/v1beta/models/gemini-2.5-flash:generateContent',
      '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    ],
    signedWith: (headers) => headers['x-goog-api-key'] === 'gemini-key',
  });
  testNativeProvider(native, {
    title: 'Vertex, signed in with a token',
    name: 'vertex',
    config: (url) => ({
      kind: 'vertex',
      accessToken: 'oauth-token',
      project: 'mill',
      location: 'global',
      baseUrl: `${url}/v1/projects/mill/locations/global/publishers/google`,
    }),
    ...read,
    ...wordsOf({ ...usageMetadata, trafficType: 'ON_DEMAND' }),
    tier: 'default',
    paths: [
      '/v1/projects/mill/locations/global/publishers/google/models/gemini-2.5-flash:generateContent',
      '/v1/projects/mill/locations/global/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    ],
    signedWith: (headers) => headers.authorization === 'Bearer oauth-token',
  });
  testNativeProvider(native, {
    title: 'Vertex in express mode, with a key',
    name: 'vertex',
    config: (url) => ({ kind: 'vertex', apiKey: 'express-key', baseUrl: `${url}/v1/publishers/google` }),
    ...read,
    ...wordsOf(usageMetadata),
    paths: [
      '/v1/publishers/google/models/gemini-2.5-flash:generateContent',
      '/v1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    ],
    signedWith: (headers) =>
      headers['x-goog-api-key'] === 'express-key' && headers.authorization === undefined,
  });
  testNativeProvider(native, {
    title: 'Claude at Vertex, which counts as Anthropic does',
    name: 'vertex',
    config: (url) => ({
      kind: 'vertex',
      accessToken: 'oauth-token',
      baseUrl: `${url}/v1/projects/mill/locations/global/publishers/google`,
    }),
    model: 'claude-sonnet-4-5@20250929',
    whole: {
      headers: { 'request-id': 'req_vrtx_1' },
      body: JSON.stringify({
        ...claude,
        content: [{ type: 'text', text: 'Four.' }],
        stop_reason: 'end_turn',
        usage: { ...claudeUsage, output_tokens: 12 },
      }),
    },
    stream: eventStream(
      [
        { type: 'message_start', message: { ...claude, content: [], usage: claudeUsage } },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Four.' } },
        { type: 'content_block_stop', index: 0 },
        { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 12 } },
        { type: 'message_stop' },
      ],
      { 'request-id': 'req_vrtx_1' },
      false,
    ),
    paths: [
      '/v1/projects/mill/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict',
      '/v1/projects/mill/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict',
    ],
    signedWith: (headers) => headers.authorization === 'Bearer oauth-token',
    tokens: { uncached_input: 200, cache_read: 1000, cache_write_5m: 300, text_output: 12 },
    arithmetic: '200×3 + 1000×0.3 + 300×3.75 + 12×15',
    answered: 'claude-sonnet-4-5-20250929',
    requestId: 'req_vrtx_1',
  });
});
