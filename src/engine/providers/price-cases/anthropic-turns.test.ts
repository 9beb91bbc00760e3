import { describe } from 'vitest';
import { message } from '../../../../test/support/answer-bodies.ts';
import { casesOf, testPriceCases } from '../../../../test/support/price-case.ts';

type Usage = Readonly<Record<string, unknown>>;

const pricing = 'https://platform.claude.com/docs/en/about-claude/pricing';

describe('tools of Anthropic', () => {
  const used = (tools: Usage) => ({ server_tool_use: tools });
  testPriceCases(
    casesOf({ provider: 'anthropic', source: pricing }, [
      [
        'a search',
        'claude-sonnet-4-6',
        message(9509, 0, used({ web_search_requests: 1, web_fetch_requests: 0 })),
        '0.038527',
        '9509×3 + 1×10000',
      ],
      [
        'searches bound to the US: only tokens cost more',
        'claude-sonnet-4-6',
        message(1000, 1000, { ...used({ web_search_requests: 3 }), inference_geo: 'us' }),
        '0.0498',
        '1000×3×1.1 + 1000×15×1.1 + 3×10000',
      ],
      [
        'searches in batch mode',
        'claude-sonnet-4-6',
        message(1000, 1000, used({ web_search_requests: 2 })),
        '0.029',
        '1000×1.5 + 1000×7.5 + 2×10000',
        { batch: true },
      ],
      [
        'pages that were fetched cost nothing',
        'claude-sonnet-4-6',
        message(1000, 1000, used({ web_fetch_requests: 2 })),
        '0.018',
        '1000×3 + 1000×15 + 2×0',
      ],
      [
        'runs of code, of unknown price',
        'claude-sonnet-4-6',
        message(1000, 1000, used({ code_execution_requests: 1 })),
        '0.018',
        '1000×3 + 1000×15',
        { open: ['code_execution'] },
      ],
      [
        'a tool that nobody knows',
        'claude-sonnet-4-6',
        message(1000, 1000, used({ telepathy_requests: 1 })),
        '0.018',
        '1000×3 + 1000×15',
        { open: ['other_tool'] },
      ],
    ]),
  );
});

describe('iterations of Anthropic', () => {
  const own = (input: number, output: number, more: Usage = {}) => ({
    type: 'message',
    input_tokens: input,
    output_tokens: output,
    ...more,
  });
  const compaction = {
    type: 'compaction',
    input_tokens: 120,
    output_tokens: 90,
    cache_creation: { ephemeral_5m_input_tokens: 40_000 },
  };
  const advisor = (model: string, input: number, output: number, more: Usage = {}) => ({
    type: 'advisor_message',
    model,
    input_tokens: input,
    output_tokens: output,
    ...more,
  });
  testPriceCases(
    casesOf(
      { provider: 'anthropic', source: 'https://platform.claude.com/docs/en/build-with-claude/compaction' },
      [
        [
          'compaction, with what it wrote into the cache',
          'claude-sonnet-4-6',
          message(210, 12, { iterations: [compaction, own(210, 12)] }),
          '0.15252',
          '330×3 + 40000×3.75 + 102×15',
        ],
        [
          'compaction that tells its writes beside a total of 0',
          'claude-sonnet-4-6',
          message(210, 12, { iterations: [{ ...compaction, cache_creation_input_tokens: 0 }, own(210, 12)] }),
          '0.15252',
          '330×3 + 40000×3.75 + 102×15',
        ],
        [
          'compaction with both lifetimes and a read',
          'claude-sonnet-4-6',
          message(10, 10, {
            iterations: [
              {
                ...compaction,
                cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
                cache_read_input_tokens: 1000,
              },
              own(10, 10),
            ],
          }),
          '0.003765',
          '130×3 + 100×3.75 + 200×6 + 1000×0.3 + 100×15',
        ],
        [
          'an advisor at its own price',
          'claude-sonnet-5',
          message(2200, 120, {
            iterations: [own(1000, 100), advisor('claude-opus-4-8', 2000, 40), own(1200, 20)],
          }),
          '0.0166',
          '2200×2 + 120×10 + 2000×5 + 40×25',
        ],
        [
          'two calls of an advisor, one with a cache',
          'claude-sonnet-5',
          message(1000, 100, {
            iterations: [
              advisor('claude-opus-4-8', 2000, 40),
              own(1000, 100),
              advisor('claude-opus-4-8', 100, 10, { cache_read_input_tokens: 2000 }),
            ],
          }),
          '0.01575',
          '1000×2 + 100×10 + 2100×5 + 2000×0.5 + 50×25',
        ],
        [
          'an advisor, bound to the US',
          'claude-sonnet-5',
          message(1000, 100, {
            inference_geo: 'us',
            iterations: [own(1000, 100), advisor('claude-opus-4-8', 2000, 40)],
          }),
          '0.0154',
          '1000×2×1.1 + 100×10×1.1 + 2000×5×1.1 + 40×25×1.1',
        ],
        [
          'an advisor of unknown price',
          'claude-sonnet-5',
          message(1000, 100, { iterations: [own(1000, 100), advisor('claude-opus-9', 2000, 40)] }),
          'unpriced',
          '',
        ],
        [
          'a fallback: the top level says what is billed',
          'claude-sonnet-5',
          message(1000, 100, {
            iterations: [own(5000, 0), { type: 'fallback_message', input_tokens: 1000, output_tokens: 100 }],
          }),
          '0.003',
          '1000×2 + 100×10',
        ],
      ],
    ),
  );
});

describe('names of Anthropic', () => {
  testPriceCases(
    casesOf({ provider: 'anthropic', source: pricing }, [
      ['a dated name', 'claude-sonnet-5-20260630', message(1000, 1000), '0.012', '1000×2 + 1000×10'],
      ['a dated name', 'claude-haiku-4-5-20251001', message(1000, 1000), '0.006', '1000×1 + 1000×5'],
      ['a dated name', 'claude-opus-4-1-20250805', message(1000, 1000), '0.09', '1000×15 + 1000×75'],
      [
        'a dated name of an older form',
        'claude-3-5-haiku-20241022',
        message(1000, 1000),
        '0.0048',
        '1000×0.8 + 1000×4',
      ],
      ['a name at Vertex', 'claude-sonnet-4@20250514', message(1000, 1000), '0.018', '1000×3 + 1000×15'],
      [
        'a dated name, bound to the US',
        'claude-sonnet-5-20260630',
        message(1000, 1000, { inference_geo: 'us' }),
        '0.0132',
        '1000×2×1.1 + 1000×10×1.1',
      ],
      ['latest', 'claude-3-5-haiku-latest', message(1000, 1000), '0.0048', '1000×0.8 + 1000×4'],
      ['a later version of a known name', 'claude-sonnet-5-5', message(1000, 1000), 'unpriced', ''],
      [
        'a later version of a known name, dated',
        'claude-sonnet-5-5-20261001',
        message(1000, 1000),
        'unpriced',
        '',
      ],
      ['a later version of a known name', 'claude-haiku-4-5-2', message(1000, 1000), 'unpriced', ''],
      ['another size of a known name', 'claude-sonnet-4-6-mini', message(1000, 1000), 'unpriced', ''],
    ]),
  );
  testPriceCases(
    casesOf({ provider: 'vertex', source: 'https://cloud.google.com/vertex-ai/generative-ai/pricing' }, [
      ['Claude at Vertex', 'claude-sonnet-4-5@20250929', message(1000, 1000), '0.018', '1000×3 + 1000×15'],
    ]),
  );
});
