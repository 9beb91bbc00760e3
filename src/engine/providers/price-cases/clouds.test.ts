import { describe } from 'vitest';
import { casesOf, testPriceCases } from '../../../../test/support/price-case.ts';

type Fields = Readonly<Record<string, unknown>>;

/** An answer of Google's generateContent. */
function gemini(prompt: number, candidates: number, more: Fields = {}, body: Fields = {}) {
  const { thoughtsTokenCount = 0, toolUsePromptTokenCount = 0 } = more as Record<string, number>;
  return {
    ...body,
    usageMetadata: {
      promptTokenCount: prompt,
      candidatesTokenCount: candidates,
      totalTokenCount: prompt + candidates + thoughtsTokenCount + toolUsePromptTokenCount,
      ...more,
    },
  };
}

/** Counts by modality. */
const by = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([modality, tokenCount]) => ({ modality, tokenCount }));

const served = (trafficType: string) => ({ trafficType });
const pricing = 'https://ai.google.dev/gemini-api/docs/pricing';

describe('Gemini', () => {
  testPriceCases(
    casesOf({ provider: 'google', source: pricing }, [
      [
        'thoughts beside the candidates',
        'gemini-2.5-flash',
        gemini(1000, 100, { thoughtsTokenCount: 200 }),
        '0.00105',
        '1000×0.3 + 100×2.5 + 200×2.5',
      ],
      [
        'cached input inside the prompt',
        'gemini-2.5-flash',
        gemini(1000, 100, { cachedContentTokenCount: 600 }),
        '0.000388',
        '400×0.3 + 600×0.03 + 100×2.5',
      ],
      [
        'sound in the prompt',
        'gemini-2.5-flash',
        gemini(1000, 100, { promptTokensDetails: by({ TEXT: 400, AUDIO: 600 }) }),
        '0.00097',
        '400×0.3 + 600×1 + 100×2.5',
      ],
      [
        'sound in the cache, at a rate of its own',
        'gemini-2.5-flash',
        gemini(1000, 100, {
          promptTokensDetails: by({ TEXT: 400, AUDIO: 600 }),
          cachedContentTokenCount: 500,
          cacheTokensDetails: by({ TEXT: 200, AUDIO: 300 }),
        }),
        '0.000646',
        '200×0.3 + 300×1 + 200×0.03 + 300×0.1 + 100×2.5',
      ],
      [
        'pictures cost what text costs',
        'gemini-2.5-flash',
        gemini(1000, 100, { promptTokensDetails: by({ TEXT: 742, IMAGE: 258 }) }),
        '0.00055',
        '742×0.3 + 258×0.3 + 100×2.5',
      ],
      [
        'video and its sound',
        'gemini-2.5-flash',
        gemini(1000, 100, { promptTokensDetails: by({ TEXT: 100, VIDEO: 700, AUDIO: 200 }) }),
        '0.00069',
        '100×0.3 + 700×0.3 + 200×1 + 100×2.5',
      ],
      [
        'a picture that was made, counted by modality alone',
        'gemini-2.5-flash-image',
        { usageMetadata: { promptTokenCount: 20, candidatesTokensDetails: by({ TEXT: 30, IMAGE: 1290 }) } },
        '0.038781',
        '20×0.3 + 30×2.5 + 1290×30',
      ],
      [
        'a picture that was made, with thoughts',
        'gemini-3-pro-image-preview',
        gemini(100, 1120, { candidatesTokensDetails: by({ IMAGE: 1120 }), thoughtsTokenCount: 200 }),
        '0.137',
        '100×2 + 1120×120 + 200×12',
      ],
      [
        'what tools brought in stands beside the prompt',
        'gemini-2.5-flash',
        gemini(1000, 100, { toolUsePromptTokenCount: 500 }),
        '0.0007',
        '1000×0.3 + 500×0.3 + 100×2.5',
      ],
      [
        'one token below long context',
        'gemini-2.5-pro',
        gemini(199_999, 100),
        '0.25099875',
        '199999×1.25 + 100×10',
      ],
      ['exactly at long context', 'gemini-2.5-pro', gemini(200_000, 100), '0.251', '200000×1.25 + 100×10'],
      ['one token above', 'gemini-2.5-pro', gemini(200_001, 100), '0.5015025', '200001×2.5 + 100×15'],
      [
        'one token above, with a cache',
        'gemini-2.5-pro',
        gemini(200_001, 100, { cachedContentTokenCount: 100_000 }),
        '0.2765025',
        '100001×2.5 + 100000×0.25 + 100×15',
      ],
      [
        'the introductory price',
        'gemini-3.8-flash',
        gemini(1000, 100),
        '0.001125',
        '1000×0.75 + 100×3.75',
        { at: '2026-12-31T23:59:59.999Z' },
      ],
      [
        'the price after it',
        'gemini-3.8-flash',
        gemini(1000, 100),
        '0.00225',
        '1000×1.5 + 100×7.5',
        { at: '2027-01-01T00:00:00.000Z' },
      ],
      [
        'searches that ground an answer, of unknown price',
        'gemini-2.5-flash',
        gemini(1000, 100, {}, { candidates: [{ groundingMetadata: { webSearchQueries: ['a', 'b'] } }] }),
        '0.00055',
        '1000×0.3 + 100×2.5',
        { open: ['web_search'] },
      ],
      [
        'a refusal: no candidates',
        'gemini-2.5-flash',
        { usageMetadata: { promptTokenCount: 1000, totalTokenCount: 1000 } },
        '0.0003',
        '1000×0.3',
      ],
    ]),
  );
});

describe('tiers of Gemini', () => {
  testPriceCases(
    casesOf({ provider: 'google', source: pricing }, [
      [
        'on demand is standard',
        'gemini-2.5-flash',
        gemini(1000, 100, served('ON_DEMAND')),
        '0.00055',
        '1000×0.3 + 100×2.5',
      ],
      [
        'priority',
        'gemini-2.5-flash',
        gemini(1000, 100, served('ON_DEMAND_PRIORITY')),
        '0.00099',
        '1000×0.3×1.8 + 100×2.5×1.8',
      ],
      [
        'flex',
        'gemini-2.5-flash',
        gemini(1000, 100, served('ON_DEMAND_FLEX')),
        '0.000275',
        '1000×0.15 + 100×1.25',
      ],
      [
        'flex, with cached input at its usual price',
        'gemini-2.5-flash',
        gemini(1000, 100, { ...served('ON_DEMAND_FLEX'), cachedContentTokenCount: 600 }),
        '0.000203',
        '400×0.15 + 600×0.03 + 100×1.25',
      ],
      [
        'flex, with a cached rate of its own',
        'gemini-3.5-flash',
        gemini(1000, 100, { ...served('ON_DEMAND_FLEX'), cachedContentTokenCount: 600 }),
        '0.000798',
        '400×0.75 + 600×0.08 + 100×4.5',
      ],
      [
        'batch',
        'gemini-3.8-flash',
        gemini(1000, 100, { cachedContentTokenCount: 400 }),
        '0.0004275',
        '600×0.375 + 400×0.0375 + 100×1.875',
        { batch: true },
      ],
      [
        'priority, above long context',
        'gemini-2.5-pro',
        gemini(200_001, 100, served('ON_DEMAND_PRIORITY')),
        '0.9027045',
        '200001×4.5 + 100×27',
      ],
      [
        'provisioned throughput, which is paid by the hour',
        'gemini-2.5-flash',
        gemini(1000, 100, served('PROVISIONED_THROUGHPUT')),
        'unpriced',
        '',
      ],
    ]),
  );
});

describe('names at Google', () => {
  const body = gemini(1000, 100);
  const pro = '1000×1.25 + 100×10';
  testPriceCases([
    ...casesOf({ provider: 'google', source: pricing }, [
      ['with its provider once more', 'google/gemini-2.5-pro', body, '0.00225', pro],
      ['as a resource', 'models/gemini-2.5-pro', body, '0.00225', pro],
      ['as a resource of Vertex', 'publishers/google/models/gemini-2.5-pro', body, '0.00225', pro],
      ['a preview', 'gemini-2.5-pro-preview-05-06', body, '0.00225', pro],
      ['a smaller model that begins like a known one', 'gemini-1.5-flash-8b', body, 'unpriced', ''],
      ['a name that begins like a known one', 'gemini-2.5-pro-max', body, 'unpriced', ''],
      ['a name that begins like a known one', 'gemini-3.8-flash-ultra', body, 'unpriced', ''],
    ]),
    ...['gemini', 'vertex'].flatMap((provider) =>
      casesOf({ provider, source: pricing }, [['by a natural name', 'gemini-2.5-pro', body, '0.00225', pro]]),
    ),
  ]);
});

describe('Bedrock', () => {
  const converse = (input: number, output: number, more: Fields = {}, body: Fields = {}) => ({
    ...body,
    usage: { inputTokens: input, outputTokens: output, totalTokens: input + output, ...more },
  });
  testPriceCases(
    casesOf({ provider: 'bedrock', source: 'https://aws.amazon.com/bedrock/pricing/' }, [
      ['text', 'amazon.nova-pro-v1:0', converse(1000, 100), '0.00112', '1000×0.8 + 100×3.2'],
      [
        'by an inference profile',
        'us.amazon.nova-pro-v1:0',
        converse(1000, 100),
        '0.00112',
        '1000×0.8 + 100×3.2',
      ],
      [
        'cached input beside the input',
        'amazon.nova-pro-v1:0',
        converse(1000, 100, { cacheReadInputTokens: 500 }),
        '0.00122',
        '1000×0.8 + 500×0.2 + 100×3.2',
      ],
      [
        'global',
        'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
        converse(1000, 100),
        '0.0045',
        '1000×3 + 100×15',
      ],
      [
        'regional, a tenth more',
        'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        converse(1000, 100),
        '0.00495',
        '1000×3.3 + 100×16.5',
      ],
      [
        'by the name of a resource',
        'arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        converse(1000, 100),
        '0.00495',
        '1000×3.3 + 100×16.5',
      ],
      [
        'cache writes',
        'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
        converse(1000, 100, { cacheWriteInputTokens: 2000 }),
        '0.012',
        '1000×3 + 2000×3.75 + 100×15',
      ],
      [
        'cache writes by lifetime',
        'global.anthropic.claude-opus-5-5',
        converse(1000, 100, {
          cacheWriteInputTokens: 3000,
          cacheDetails: [
            { ttl: '1h', inputTokens: 2000 },
            { ttl: '5m', inputTokens: 1000 },
          ],
        }),
        '0.027',
        '1000×4 + 2000×8 + 1000×5 + 100×20',
      ],
      [
        'priority',
        'amazon.nova-pro-v1:0',
        converse(1000, 100, {}, { serviceTier: { type: 'priority' } }),
        '0.00196',
        '1000×0.8×1.75 + 100×3.2×1.75',
      ],
      [
        'flex',
        'amazon.nova-pro-v1:0',
        converse(1000, 100, {}, { serviceTier: { type: 'flex' } }),
        '0.00056',
        '1000×0.4 + 100×1.6',
      ],
      [
        'default',
        'amazon.nova-pro-v1:0',
        converse(1000, 100, {}, { serviceTier: { type: 'default' } }),
        '0.00112',
        '1000×0.8 + 100×3.2',
      ],
      [
        'reserved, which is paid by the hour',
        'amazon.nova-pro-v1:0',
        converse(1000, 100, {}, { serviceTier: { type: 'reserved' } }),
        'unpriced',
        '',
      ],
      [
        'a name that begins like a known one',
        'amazon.nova-prometheus-v1:0',
        converse(1000, 100),
        'unpriced',
        '',
      ],
    ]),
  );
});

describe('Cohere', () => {
  testPriceCases(
    casesOf({ provider: 'cohere', source: 'https://cohere.com/pricing' }, [
      [
        'what is billed, not what was worked on',
        'command-a-03-2025',
        {
          usage: {
            billed_units: { input_tokens: 1000, output_tokens: 100 },
            tokens: { input_tokens: 1500, output_tokens: 120 },
          },
        },
        '0.0035',
        '1000×2.5 + 100×10',
      ],
      [
        'units of ranking, of unknown price',
        'command-a-03-2025',
        { usage: { billed_units: { input_tokens: 1000, output_tokens: 100, search_units: 1 } } },
        '0.0035',
        '1000×2.5 + 100×10',
        { open: ['rerank_search'] },
      ],
    ]),
  );
});
