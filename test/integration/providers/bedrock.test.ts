import { describe } from 'vitest';
import { frameStream, nativeProviders, testNativeProvider } from '../../support/native-provider.ts';

const native = nativeProviders();

const usage = {
  inputTokens: 30,
  outputTokens: 12,
  totalTokens: 1542,
  cacheReadInputTokens: 1000,
  cacheWriteInputTokens: 500,
  cacheDetails: [{ ttl: '5m', inputTokens: 500 }],
};
const headers = { 'x-amzn-requestid': 'aws-request-1' };
const model = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
const path = `/model/${encodeURIComponent(model)}`;

const shared = {
  name: 'bedrock',
  model,
  whole: {
    headers,
    body: JSON.stringify({
      output: { message: { role: 'assistant', content: [{ text: 'Four.' }] } },
      stopReason: 'end_turn',
      metrics: { latencyMs: 120 },
      serviceTier: { type: 'default' },
      usage,
    }),
  },
  stream: frameStream(
    [
      ['messageStart', { role: 'assistant', p: 'abc' }],
      ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Fo' }, p: 'abcdef' }],
      ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'ur.' } }],
      ['contentBlockStop', { contentBlockIndex: 0 }],
      ['messageStop', { stopReason: 'end_turn' }],
      ['metadata', { metrics: { latencyMs: 120 }, serviceTier: { type: 'default' }, usage }],
    ],
    headers,
  ),
  paths: [`${path}/converse`, `${path}/converse-stream`],
  tokens: { uncached_input: 30, cache_read: 1000, cache_write_5m: 500, text_output: 12 },
  arithmetic: '30×3.3 + 1000×0.33 + 500×4.125 + 12×16.5',
  answered: model,
  requestId: 'aws-request-1',
} as const;

describe('Amazon Bedrock', () => {
  testNativeProvider(native, {
    title: 'Converse, signed with an access key',
    ...shared,
    config: (url) => ({
      kind: 'bedrock',
      region: 'eu-central-1',
      accessKeyId: 'AKIAMILLRACE',
      secretAccessKey: 'secret-access-key',
      sessionToken: 'session-token',
      baseUrl: url,
    }),
    signedWith: (sent) =>
      /^AWS4-HMAC-SHA256 Credential=AKIAMILLRACE\/\d{8}\/eu-central-1\/bedrock\/aws4_request, SignedHeaders=[^,]*host[^,]*, Signature=[0-9a-f]{64}$/.test(
        sent.authorization ?? '',
      ) && sent['x-amz-security-token'] === 'session-token',
  });
  testNativeProvider(native, {
    title: 'Converse, with an API key',
    ...shared,
    config: (url) => ({ kind: 'bedrock', apiKey: 'bedrock-key', baseUrl: url }),
    signedWith: (sent) => sent.authorization === 'Bearer bedrock-key',
  });
});
