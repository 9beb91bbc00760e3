import { embedMany } from 'ai';
import { expect, it } from 'vitest';
import type { ProviderConfig } from '../../../src/engine/providers/provider-config.ts';
import { formatUsd } from '../../../src/kernel/money.ts';
import { type NativeAnswer, nativeProviders } from '../../support/native-provider.ts';
import { sumOfProducts } from '../../support/price-case.ts';

const native = nativeProviders();

const vector = [0.25, -0.5, 0.125];

interface EmbeddingCase {
  readonly name: string;
  readonly config: (url: string) => ProviderConfig;
  readonly model: string;
  readonly answer: Readonly<Record<string, unknown>>;
  readonly headers?: NativeAnswer['headers'];
  readonly arithmetic: string;
}

const cases: readonly EmbeddingCase[] = [
  {
    name: 'cohere',
    config: (url) => ({ kind: 'cohere', apiKey: 'k', baseUrl: `${url}/v2` }),
    model: 'embed-v4.0',
    answer: { id: 'e-1', embeddings: { float: [vector] }, meta: { billed_units: { input_tokens: 7 } } },
    arithmetic: '7×0.12',
  },
  {
    name: 'mistral',
    config: (url) => ({ kind: 'mistral', apiKey: 'k', baseUrl: `${url}/v1` }),
    model: 'mistral-embed',
    answer: {
      id: 'e-1',
      object: 'list',
      model: 'mistral-embed',
      data: [{ object: 'embedding', index: 0, embedding: vector }],
      usage: { prompt_tokens: 7, total_tokens: 7, completion_tokens: 0 },
    },
    arithmetic: '7×0.1',
  },
  {
    name: 'bedrock',
    config: (url) => ({ kind: 'bedrock', apiKey: 'k', baseUrl: url }),
    model: 'amazon.titan-embed-text-v2:0',
    answer: { embedding: vector, inputTextTokenCount: 7 },
    arithmetic: '7×0.1',
  },
  {
    name: 'vertex',
    config: (url) => ({ kind: 'vertex', accessToken: 't', baseUrl: `${url}/v1/publishers/google` }),
    model: 'gemini-embedding-001',
    answer: { predictions: [{ embeddings: { values: vector, statistics: { token_count: 7 } } }] },
    arithmetic: '7×0.15',
  },
];

it.each(cases)('an embedding of $name costs what it reports', async (wanted) => {
  const { name, config, model, answer, arithmetic } = wanted;
  native.answerWith({ body: JSON.stringify(answer) });
  const scope = await native.open(name, config(native.url));
  const { embeddings } = await embedMany({
    model: scope.embeddingModel(`${name}/${model}`),
    values: ['a handful of words'],
  });
  await scope.close();
  expect(embeddings).toEqual([vector]);
  const [row] = await native.models.callRows();
  expect(row).toMatchObject({ settlement: 'reported', operation: 'embeddings', is_suspect: false });
  expect(JSON.parse(row?.tokens ?? '')).toEqual({ uncached_input: 7 });
  expect(row?.cost_usd).toBe(formatUsd(sumOfProducts(arithmetic).div(1_000_000)));
});
