import { describe, expect, it } from 'vitest';
import { casesOf, priceOf, testPriceCases } from '../../../../test/support/price-case.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A chat completion in OpenAI's form. */
function chat(prompt: number, completion: number, usage: Fields = {}, body: Fields = {}) {
  return { ...body, usage: { prompt_tokens: prompt, completion_tokens: completion, ...usage } };
}

const cached = (cached_tokens: number, more: Fields = {}) => ({
  prompt_tokens_details: { cached_tokens, ...more },
});

const searchCall = { type: 'web_search_call', action: { type: 'search' } };

describe('Groq', () => {
  const gpt = 'openai/gpt-oss-120b';
  testPriceCases(
    casesOf({ provider: 'groq', source: 'https://console.groq.com/docs/service-tiers' }, [
      [
        'on demand is standard',
        gpt,
        chat(1000, 100, cached(500), { service_tier: 'on_demand' }),
        '0.0001725',
        '500×0.15 + 500×0.075 + 100×0.6',
      ],
      [
        'written with a dash',
        gpt,
        chat(1000, 100, {}, { service_tier: 'on-demand' }),
        '0.00021',
        '1000×0.15 + 100×0.6',
      ],
      [
        'flex costs the same',
        gpt,
        chat(1000, 100, {}, { service_tier: 'flex' }),
        '0.00021',
        '1000×0.15 + 100×0.6',
      ],
      [
        'performance is a contract',
        gpt,
        chat(1000, 100, {}, { service_tier: 'performance' }),
        'unpriced',
        '',
      ],
    ]),
  );
});

describe('xAI', () => {
  testPriceCases(
    casesOf({ provider: 'xai', source: 'https://docs.x.ai/developers/pricing' }, [
      [
        'reasoning beside the completion',
        'grok-4.5',
        chat(1000, 100, {
          ...cached(400),
          total_tokens: 1150,
          completion_tokens_details: { reasoning_tokens: 50 },
        }),
        '0.00222',
        '600×2 + 400×0.3 + 100×6 + 50×6',
      ],
      ['one token below long context', 'grok-4.5', chat(199_999, 100), '0.400598', '199999×2 + 100×6'],
      [
        'exactly at long context, which begins there',
        'grok-4.5',
        chat(200_000, 100),
        '0.8012',
        '200000×4 + 100×12',
      ],
      [
        'pictures cost what text costs, in the cache as well',
        'grok-4.5',
        chat(1000, 100, cached(900, { text_tokens: 500, image_tokens: 500 })),
        '0.00107',
        '100×2 + 900×0.3 + 100×6',
      ],
      [
        'newer than the catalogue',
        'grok-4.7',
        chat(200_000, 100, cached(100_000)),
        '0.5012',
        '100000×4 + 100000×1 + 100×12',
      ],
      [
        'what it says it charged',
        'grok-4.5',
        chat(1000, 100, { cost_in_usd_ticks: 37_756_000 }),
        '0.0037756',
        '',
        { list: '0.0026' },
      ],
      [
        'tools',
        'grok-4.5',
        chat(1000, 100, {
          server_side_tool_usage_details: { web_search_calls: 2, x_search_calls: 1, mcp_calls: 4 },
        }),
        '0.0176',
        '1000×2 + 100×6 + 2×5000 + 1×5000',
      ],
      [
        'tools that stand in the usage and in the output are counted once',
        'grok-4.5',
        {
          output: [searchCall, searchCall, { type: 'message' }],
          usage: {
            input_tokens: 1000,
            output_tokens: 100,
            total_tokens: 1100,
            server_side_tool_usage_details: { web_search_calls: 2 },
          },
        },
        '0.0126',
        '1000×2 + 100×6 + 2×5000',
      ],
      [
        'pictures that it made, of unknown price',
        'grok-4.5',
        chat(1000, 100, { server_side_tool_usage_details: { image_generation_calls: 1 } }),
        '0.0026',
        '1000×2 + 100×6',
        { open: ['image_generation'] },
      ],
    ]),
  );
});

describe('DeepSeek', () => {
  const hits = { prompt_cache_hit_tokens: 400, prompt_cache_miss_tokens: 600 };
  testPriceCases(
    casesOf({ provider: 'deepseek', source: 'https://api-docs.deepseek.com/quick_start/pricing' }, [
      [
        'before its prices followed the hour',
        'deepseek-v4-flash',
        chat(1000, 100, hits),
        '0.00011312',
        '600×0.14 + 400×0.0028 + 100×0.28',
        { at: '2026-08-16T23:59:59.999Z' },
      ],
      [
        'in a peak hour',
        'deepseek-v4-flash',
        chat(1000, 100, hits),
        '0.0004016',
        '600×0.44 + 400×0.014 + 100×1.32',
        { at: '2026-11-02T02:00:00Z' },
      ],
      [
        'at the end of the peak',
        'deepseek-v4-flash',
        chat(1000, 100, hits),
        '0.0002008',
        '600×0.22 + 400×0.007 + 100×0.66',
        { at: '2026-11-02T04:00:00Z' },
      ],
    ]),
  );
});

describe('Mistral', () => {
  testPriceCases(
    casesOf({ provider: 'mistral', source: 'https://mistral.ai/pricing/api' }, [
      [
        'the day before an alias moved',
        'mistral-medium-latest',
        chat(1000, 100),
        '0.0006',
        '1000×0.4 + 100×2',
        { at: '2026-06-15T23:59:59.999Z' },
      ],
      [
        'the day it moved',
        'mistral-medium-latest',
        chat(1000, 100),
        '0.00225',
        '1000×1.5 + 100×7.5',
        { at: '2026-06-16T00:00:00.000Z' },
      ],
      [
        'cached input in a field of its own',
        'mistral-large-2512',
        chat(1000, 100, { num_cached_tokens: 400 }),
        '0.00047',
        '600×0.5 + 400×0.05 + 100×1.5',
      ],
      [
        'sound by the second, of unknown price',
        'voxtral-small-2507',
        chat(1000, 100, { prompt_audio_seconds: 30 }),
        '0.00014',
        '1000×0.1 + 100×0.4',
        { open: ['audio_second'] },
      ],
      [
        'a part of a second of it',
        'voxtral-small-2507',
        chat(1000, 100, { prompt_audio_seconds: 12.5 }),
        '0.00014',
        '1000×0.1 + 100×0.4',
        { open: ['audio_second'] },
      ],
    ]),
  );
});

describe('Perplexity', () => {
  const research = { citation_tokens: 19, num_search_queries: 21, reasoning_tokens: 193_947 };
  testPriceCases(
    casesOf({ provider: 'perplexity', source: 'https://docs.perplexity.ai/docs/getting-started/pricing' }, [
      ['a fee for the request', 'sonar', chat(1000, 100), '0.0131', '1000×1 + 100×1 + 1×12000'],
      [
        'research: citations, reasoning and searches beside the completion',
        'sonar-deep-research',
        chat(33, 7163, research),
        '0.744249',
        '33×2 + 7163×8 + 19×2 + 193947×3 + 21×5000',
      ],
      [
        'what it says it charged',
        'sonar-deep-research',
        chat(33, 7163, { ...research, cost: { input_tokens_cost: 0, total_cost: 0.7442 } }),
        '0.7442',
        '',
        { list: '0.744249' },
      ],
    ]),
  );
});

describe('OpenRouter', () => {
  testPriceCases(
    casesOf({ provider: 'openrouter', source: 'https://openrouter.ai/docs/use-cases/usage-accounting' }, [
      [
        'what it charged, and the list price beside it',
        'openai/gpt-4o-mini',
        chat(900, 69, { cost: 0.0160614 }),
        '0.0160614',
        '',
        { list: '0.0001764', reference: 'charged by openrouter; list ' },
      ],
      [
        "with an account of one's own",
        'openai/gpt-4o-mini',
        chat(900, 69, {
          cost: 0.00000882,
          is_byok: true,
          cost_details: { upstream_inference_cost: 0.0001764 },
        }),
        '0.00018522',
        '',
        { list: '0.0001764' },
      ],
      [
        'an account that does not say what it was charged pays the list price',
        'openai/gpt-4o-mini',
        chat(900, 69, { cost: 0.00000882, is_byok: true, cost_details: { upstream_inference_cost: null } }),
        '0.0001764',
        '900×0.15 + 69×0.6',
      ],
      [
        'nothing charged for what has a price is no charge',
        'openai/gpt-4o-mini',
        chat(900, 69, { cost: 0 }),
        '0.0001764',
        '900×0.15 + 69×0.6',
      ],
      ['free by its name', 'meta-llama/llama-3.3-70b-instruct:free', chat(900, 69, { cost: 0 }), '0', ''],
      [
        'less than list',
        'openai/gpt-4o-mini',
        chat(900, 69, { cost: 1e-7 }),
        '0.0000001',
        '',
        { list: '0.0001764' },
      ],
      ['without a word on cost: list', 'openai/gpt-4o-mini', chat(900, 69), '0.0001764', '900×0.15 + 69×0.6'],
    ]),
  );

  it('is believed about a model that no list knows', () => {
    const { pricing } = priceOf({
      what: '',
      source: '',
      arithmetic: '',
      cost: '',
      provider: 'openrouter',
      model: 'acme/unheard-of',
      body: chat(900, 69, { cost: 0.5 }),
    });
    expect(pricing).toMatchObject({ kind: 'priced', price: { reference: 'charged by openrouter' } });
    expect(pricing.kind === 'priced' ? pricing.cost.total.toFixed() : '').toBe('0.5');
  });
});

describe('other names', () => {
  testPriceCases([
    ...casesOf({ provider: 'moonshot', source: 'https://platform.kimi.ai/docs/pricing/chat-k3' }, [
      [
        'cached input in a field of its own',
        'kimi-k3',
        chat(1000, 100, { cached_tokens: 400 }),
        '0.00342',
        '600×3 + 400×0.3 + 100×15',
      ],
    ]),
    ...casesOf({ provider: 'z-ai', source: 'https://docs.z.ai/guides/overview/pricing' }, [
      [
        'a dash in the provider',
        'glm-5.3',
        chat(1000, 100, cached(400)),
        '0.001384',
        '600×1.4 + 400×0.26 + 100×4.4',
      ],
    ]),
    ...casesOf({ provider: 'deepinfra', source: 'https://deepinfra.com/pricing' }, [
      ['a provider without a list', 'meta-llama/llama-3.3-70b', chat(1000, 100), 'unpriced', ''],
    ]),
  ]);

  it('lists the known providers where one is not known', () => {
    const { pricing } = priceOf({
      what: '',
      source: '',
      arithmetic: '',
      cost: '',
      provider: 'deepinfra',
      model: 'm',
      body: chat(1, 1),
    });
    expect(pricing).toMatchObject({ kind: 'unpriced', reason: expect.stringContaining('groq, ') as unknown });
  });
});
