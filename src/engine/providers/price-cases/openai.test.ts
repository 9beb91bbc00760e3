import { describe } from 'vitest';
import { chat, response } from '../../../../test/support/answer-bodies.ts';
import { casesOf, testPriceCases } from '../../../../test/support/price-case.ts';

const pricing = 'https://developers.openai.com/api/docs/pricing';
const beforeSolCut = '2026-08-20T23:59:59.999Z';
const solCut = '2026-08-21T00:00:00.000Z';

describe('standard prices of OpenAI', () => {
  testPriceCases(
    casesOf({ provider: 'openai', source: pricing }, [
      ['text', 'gpt-4o-mini', chat(900, 69), '0.0001764', '900×0.15 + 69×0.6'],
      [
        'cached input inside the prompt',
        'gpt-4o',
        chat(2006, 300, { cached_tokens: 1920 }),
        '0.005615',
        '86×2.5 + 1920×1.25 + 300×10',
      ],
      [
        'reasoning inside the output',
        'o3',
        response(75, 1186, {}, {}, { reasoning_tokens: 1024 }),
        '0.009638',
        '75×2 + 162×8 + 1024×8',
      ],
      [
        'the day before its price fell',
        'o3',
        response(75, 1186),
        '0.04819',
        '75×10 + 1186×40',
        { at: '2025-06-09T23:59:59.999Z' },
      ],
      [
        'the day its price fell',
        'o3',
        response(75, 1186),
        '0.009638',
        '75×2 + 1186×8',
        { at: '2025-06-10T00:00:00.000Z' },
      ],
      [
        'the day before its price fell',
        'gpt-5.6-sol',
        chat(1000, 100),
        '0.008',
        '1000×5 + 100×30',
        { at: beforeSolCut },
      ],
      ['the day its price fell', 'gpt-5.6-sol', chat(1000, 100), '0.006', '1000×4 + 100×20', { at: solCut }],
      [
        'the day before its price fell',
        'gpt-5.6-luna',
        chat(10000, 1000),
        '0.016',
        '10000×1 + 1000×6',
        { at: '2026-07-29T23:59:59.999Z' },
      ],
      [
        'the day its price fell',
        'gpt-5.6-luna',
        chat(10000, 1000),
        '0.0032',
        '10000×0.2 + 1000×1.2',
        { at: '2026-07-30T00:00:00.000Z' },
      ],
      [
        'the day before its price fell',
        'gpt-5.6-terra',
        chat(10000, 1000),
        '0.04',
        '10000×2.5 + 1000×15',
        { at: '2026-07-29T23:59:59.999Z' },
      ],
      [
        'the day its price fell',
        'gpt-5.6-terra',
        chat(10000, 1000),
        '0.032',
        '10000×2 + 1000×12',
        { at: '2026-07-30T00:00:00.000Z' },
      ],
      [
        'cache writes inside the input',
        'gpt-5.6-sol',
        response(5000, 100, { cached_tokens: 1000, cache_write_tokens: 2000 }),
        '0.0204',
        '2000×4 + 1000×0.4 + 2000×5 + 100×20',
      ],
      [
        'cache writes that live for twelve hours',
        'gpt-5.6-sol',
        response(5000, 100, {
          cache_write_tokens: 2000,
          cache_write_tokens_details: { ttl_12h_tokens: 2000 },
        }),
        'unpriced',
        '',
      ],
      [
        'embeddings',
        'text-embedding-3-small',
        { usage: { prompt_tokens: 800, completion_tokens: 0, total_tokens: 800 } },
        '0.000016',
        '800×0.02',
      ],
      [
        'audio in both directions',
        'gpt-audio',
        chat(100, 80, { audio_tokens: 60 }, { audio_tokens: 50 }),
        '0.00552',
        '40×2.5 + 60×32 + 30×10 + 50×64',
      ],
      [
        'audio whose rate the book lacks',
        'gpt-4o-audio-preview',
        chat(100, 80, { audio_tokens: 60 }),
        'unpriced',
        '',
      ],
      [
        'pictures in both directions',
        'gpt-image-1.5',
        response(1050, 4000, { image_tokens: 1000, text_tokens: 50 }, {}, { image_tokens: 4000 }),
        '0.13625',
        '50×5 + 1000×8 + 4000×32',
      ],
      [
        'a model newer than the catalogue',
        'gpt-6.1-sol',
        chat(1000, 100, { cached_tokens: 500 }),
        '0.00205',
        '500×2 + 500×0.1 + 100×10',
      ],
    ]),
  );
});

describe('names of OpenAI', () => {
  const plain = '1000×1.25 + 100×10';
  testPriceCases(
    casesOf({ provider: 'openai', source: pricing }, [
      ['a dated name', 'gpt-5-2025-08-07', chat(1000, 100), '0.00225', plain],
      ['a compact date', 'gpt-5-20250807', chat(1000, 100), '0.00225', plain],
      ['in capitals', 'GPT-5', chat(1000, 100), '0.00225', plain],
      ['with its provider once more', 'openai/gpt-5', chat(1000, 100), '0.00225', plain],
      [
        'the model that answered, not the one that was asked',
        'gpt-5',
        chat(1000, 100, {}, {}, { model: 'gpt-5-mini-2025-08-07' }),
        '0.00045',
        '1000×0.25 + 100×2',
      ],
      ['an alias', 'gpt-5.6', chat(1000, 100), '0.006', '1000×4 + 100×20'],
      ['a snapshot of its own price', 'gpt-4o-2024-05-13', chat(1000, 100), '0.0065', '1000×5 + 100×15'],
      ['an unknown model', 'gpt-99', chat(1000, 100), 'unpriced', ''],
      ['a name that begins like a known one', 'gpt-5-turbo', chat(1000, 100), 'unpriced', ''],
      ['a date with more behind it', 'gpt-4.1-2025-04-14-x', chat(1000, 100), 'unpriced', ''],
      ['a name that begins like a loose rule', 'gpt-5-nano-max', chat(1000, 100), 'unpriced', ''],
      [
        'a fine-tuned model, cached input at its own rate',
        'ft:gpt-4.1-2025-04-14:acme::abc',
        chat(1000, 100, { cached_tokens: 400 }),
        '0.0033',
        '600×3 + 400×0.75 + 100×12',
      ],
      [
        'a fine-tuned model',
        'ft:gpt-4.1-mini-2025-04-14:acme:tickets:abc',
        chat(1000, 100),
        '0.00112',
        '1000×0.8 + 100×3.2',
      ],
      [
        'a fine-tuned model',
        'ft:gpt-4.1-nano-2025-04-14:acme::abc',
        chat(1000, 100),
        '0.00028',
        '1000×0.2 + 100×0.8',
      ],
      ['a fine-tuned model', 'ft:o4-mini-2025-04-16:acme::abc', chat(1000, 100), '0.0056', '1000×4 + 100×16'],
      [
        'a fine-tuned model, cached',
        'ft:gpt-4o-mini-2024-07-18:acme::abc',
        chat(1000, 100, { cached_tokens: 500 }),
        '0.000345',
        '500×0.3 + 500×0.15 + 100×1.2',
      ],
      [
        'a fine-tuned model, cached',
        'ft:gpt-4o-2024-08-06:acme::abc',
        chat(1000, 100, { cached_tokens: 500 }),
        '0.0043125',
        '500×3.75 + 500×1.875 + 100×15',
      ],
      [
        'a fine-tuned model of before caching',
        'ft:gpt-3.5-turbo-0125:acme::abc',
        chat(1000, 100),
        '0.0036',
        '1000×3 + 100×6',
      ],
      [
        'a fine-tuned model in batch mode',
        'ft:gpt-4.1-2025-04-14:acme::abc',
        chat(1000, 100),
        '0.0021',
        '1000×1.5 + 100×6',
        { batch: true },
      ],
      [
        'a fine-tuned model without a published price',
        'ft:gpt-4o-2024-11-20:acme::abc',
        chat(1000, 100),
        'unpriced',
        '',
      ],
      ['a fine-tuned model of an unknown base', 'ft:gpt-9:acme::abc', chat(1000, 100), 'unpriced', ''],
    ]),
  );
});
