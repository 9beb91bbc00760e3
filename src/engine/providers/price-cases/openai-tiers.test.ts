import { describe } from 'vitest';
import { chat, response } from '../../../../test/support/answer-bodies.ts';
import { casesOf, testPriceCases } from '../../../../test/support/price-case.ts';

const tier = (service_tier: string) => ({ service_tier });
const pricing = 'https://developers.openai.com/api/docs/pricing';
const longContext = 'https://developers.openai.com/api/docs/models/gpt-5.6-sol';
const beforeSolCut = '2026-08-20T23:59:59.999Z';

describe('long context of OpenAI', () => {
  testPriceCases(
    casesOf({ provider: 'openai', source: longContext }, [
      [
        'one token below',
        'gpt-5.6-sol',
        chat(271_999, 400),
        '1.371995',
        '271999×5 + 400×30',
        { at: beforeSolCut },
      ],
      [
        'exactly at the size',
        'gpt-5.6-sol',
        chat(272_000, 400),
        '1.372',
        '272000×5 + 400×30',
        { at: beforeSolCut },
      ],
      [
        'one token above',
        'gpt-5.6-sol',
        chat(272_001, 400),
        '2.73801',
        '272001×10 + 400×45',
        { at: beforeSolCut },
      ],
      ['exactly at the size', 'gpt-5.4', chat(272_000, 400), '0.686', '272000×2.5 + 400×15'],
      ['one token above', 'gpt-5.4', chat(272_001, 400), '1.369005', '272001×5 + 400×22.5'],
      ['exactly at the size', 'gpt-5.5', chat(272_000, 400), '1.372', '272000×5 + 400×30'],
      [
        'cached input counts for the size',
        'gpt-5.5',
        chat(272_001, 400, { cached_tokens: 100_000 }),
        '1.83801',
        '172001×10 + 100000×1 + 400×45',
      ],
      ['exactly at the size', 'gpt-5.4-pro', chat(272_000, 400), '8.232', '272000×30 + 400×180'],
      ['exactly at the size', 'gpt-6-astra', chat(272_000, 400), '2.74', '272000×10 + 400×50'],
      ['one token above', 'gpt-6-astra', chat(272_001, 400), '5.47002', '272001×20 + 400×75'],
      ['exactly at the size', 'gpt-6-sol', chat(272_000, 400), '0.548', '272000×2 + 400×10'],
      ['one token above', 'gpt-6-sol', chat(272_001, 400), '1.094004', '272001×4 + 400×15'],
      [
        'one token above, dated name',
        'gpt-6.1-sol-2026-09-29',
        chat(272_001, 400),
        '1.094004',
        '272001×4 + 400×15',
      ],
      [
        'one token above, in flex',
        'gpt-5.4',
        chat(272_001, 400, {}, {}, tier('flex')),
        '0.6845025',
        '272001×2.5 + 400×11.25',
      ],
      [
        'one token above, in fast mode',
        'gpt-6-sol',
        chat(272_001, 400, {}, {}, tier('priority')),
        '2.188008',
        '272001×8 + 400×30',
      ],
    ]),
  );
});

describe('tiers of OpenAI', () => {
  const cached = { cached_tokens: 400 };
  testPriceCases(
    casesOf({ provider: 'openai', source: pricing }, [
      ...(['default', 'standard', 'auto', 'scale'] as const).map(
        (name) =>
          [
            `${name} is standard`,
            'gpt-5',
            chat(1000, 100, {}, {}, tier(name)),
            '0.00225',
            '1000×1.25 + 100×10',
          ] as const,
      ),
      [
        'flex',
        'gpt-5',
        chat(1000, 200, cached, {}, tier('flex')),
        '0.0014',
        '600×0.625 + 400×0.0625 + 200×5',
      ],
      [
        'batch',
        'gpt-5',
        chat(1000, 200, cached),
        '0.0014',
        '600×0.625 + 400×0.0625 + 200×5',
        { batch: true },
      ],
      [
        'batch as a tier',
        'gpt-5',
        chat(1000, 200, cached, {}, tier('batch')),
        '0.0014',
        '600×0.625 + 400×0.0625 + 200×5',
      ],
      [
        'batch, where cached input has no discount',
        'gpt-4o',
        chat(1000, 200, cached),
        '0.00225',
        '600×1.25 + 400×1.25 + 200×5',
        { batch: true },
      ],
      [
        'priority',
        'gpt-5',
        chat(1000, 200, cached, {}, tier('priority')),
        '0.0056',
        '600×2.5 + 400×0.25 + 200×20',
      ],
      ['priority', 'gpt-4o-mini', chat(1000, 100, {}, {}, tier('priority')), '0.00035', '1000×0.25 + 100×1'],
      ['priority', 'o3', chat(1000, 100, {}, {}, tier('priority')), '0.0049', '1000×3.5 + 100×14'],
      [
        'priority, cached',
        'o4-mini',
        chat(1000, 100, { cached_tokens: 500 }, {}, tier('priority')),
        '0.00205',
        '500×2 + 500×0.5 + 100×8',
      ],
      ['priority', 'gpt-5.6-sol', chat(1000, 100, {}, {}, tier('priority')), '0.012', '1000×8 + 100×40'],
      [
        'priority before its price fell',
        'gpt-5.6-sol',
        chat(1000, 100, {}, {}, tier('priority')),
        '0.016',
        '1000×10 + 100×60',
        { at: beforeSolCut },
      ],
      [
        'fast, the newer name of priority',
        'gpt-5.6-sol',
        chat(1000, 100, {}, {}, tier('fast')),
        '0.012',
        '1000×8 + 100×40',
      ],
      ['priority', 'gpt-6-sol', chat(1000, 100, {}, {}, tier('priority')), '0.006', '1000×4 + 100×20'],
      [
        'priority where none is sold',
        'gpt-5-nano',
        chat(1000, 100, {}, {}, tier('priority')),
        'unpriced',
        '',
      ],
      ['flex where none is sold', 'gpt-4o', chat(1000, 100, {}, {}, tier('flex')), 'unpriced', ''],
      [
        'a tier that the book does not know',
        'gpt-6-luna',
        chat(1000, 100, {}, {}, tier('ultrafast')),
        'unpriced',
        '',
      ],
    ]),
  );
});

describe('tools of OpenAI', () => {
  const call = (type: string, action?: string) => ({
    type,
    ...(action === undefined ? {} : { action: { type: action } }),
  });
  testPriceCases(
    casesOf({ provider: 'openai', source: pricing }, [
      [
        'a search, and a page of it opened',
        'gpt-5.4',
        response(
          1000,
          100,
          {},
          {
            output: [
              call('web_search_call', 'search'),
              call('web_search_call', 'open_page'),
              call('message'),
            ],
          },
        ),
        '0.014',
        '1000×2.5 + 100×15 + 1×10000',
      ],
      [
        'searches that the answer counts',
        'gpt-5.4',
        response(
          1000,
          100,
          {},
          {
            tool_usage: { web_search: { num_requests: 3 } },
            output: Array.from({ length: 5 }, () => call('web_search_call')),
          },
        ),
        '0.034',
        '1000×2.5 + 100×15 + 3×10000',
      ],
      [
        'a search in files',
        'gpt-5.4',
        response(1000, 100, {}, { output: [call('file_search_call')] }),
        '0.0065',
        '1000×2.5 + 100×15 + 1×2500',
      ],
      [
        'a search, in flex: the search costs what it costs',
        'gpt-5.4',
        response(1000, 100, {}, { ...tier('flex'), output: [call('web_search_call')] }),
        '0.012',
        '1000×1.25 + 100×7.5 + 1×10000',
      ],
      [
        'a run of code, of unknown price',
        'gpt-5.4',
        response(1000, 100, {}, { output: [call('code_interpreter_call')] }),
        '0.004',
        '1000×2.5 + 100×15',
        { open: ['code_execution'] },
      ],
    ]),
  );
});

describe('Azure', () => {
  const azure = 'https://azure.microsoft.com/pricing/details/azure-openai/';
  testPriceCases(
    casesOf({ provider: 'azure', source: azure }, [
      [
        'its own price',
        'o4-mini',
        chat(1000, 100, { cached_tokens: 500 }),
        '0.00113',
        '500×1.1 + 500×0.28 + 100×4.4',
        { reference: 'azure/o4-mini' },
      ],
      [
        'its own price where OpenAI has another',
        'gpt-4-turbo',
        chat(1000, 100),
        '0.0143',
        '1000×11 + 100×33',
        { reference: 'azure/gpt-4-turbo' },
      ],
      [
        "OpenAI's price, and says so",
        'gpt-5-mini',
        chat(1000, 100),
        '0.00045',
        '1000×0.25 + 100×2',
        { reference: 'openai/gpt-5-mini@always for azure, which lists none' },
      ],
      ['priority', 'gpt-4.1', chat(1000, 100, {}, {}, tier('priority')), '0.0049', '1000×3.5 + 100×14'],
      [
        'priority that Azure does not list',
        'gpt-4o-mini',
        chat(1000, 100, {}, {}, tier('priority')),
        'unpriced',
        '',
      ],
      [
        'exactly at the size of long context',
        'gpt-5.6-sol',
        chat(272_000, 400),
        '1.096',
        '272000×4 + 400×20',
      ],
    ]),
  );
  testPriceCases(
    casesOf({ provider: 'azure-openai', source: azure }, [
      ['by a natural name', 'azure/gpt-5-mini', chat(1000, 100), '0.00045', '1000×0.25 + 100×2'],
    ]),
  );
});
