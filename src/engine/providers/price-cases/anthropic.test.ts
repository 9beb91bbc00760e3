import { describe } from 'vitest';
import { message } from '../../../../test/support/answer-bodies.ts';
import { casesOf, testPriceCases } from '../../../../test/support/price-case.ts';

const pricing = 'https://platform.claude.com/docs/en/about-claude/pricing';
const residency = 'https://platform.claude.com/docs/en/manage-claude/data-residency';
const writes = (short: number, long: number) => ({
  cache_creation_input_tokens: short + long,
  cache_creation: { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: long },
});

describe('standard prices of Anthropic', () => {
  testPriceCases(
    casesOf({ provider: 'anthropic', source: pricing }, [
      ['text', 'claude-sonnet-4-6', message(1000, 1000), '0.018', '1000×3 + 1000×15'],
      ['text', 'claude-haiku-4-5', message(1000, 1000), '0.006', '1000×1 + 1000×5'],
      [
        'thinking inside the output',
        'claude-sonnet-4-6',
        message(1000, 1000, { output_tokens_details: { thinking_tokens: 800 } }),
        '0.018',
        '1000×3 + 200×15 + 800×15',
      ],
      [
        'cache writes of both lifetimes, and a read',
        'claude-sonnet-4-5',
        message(100, 200, { ...writes(2000, 1000), cache_read_input_tokens: 5000 }),
        '0.0183',
        '100×3 + 2000×3.75 + 1000×6 + 5000×0.3 + 200×15',
      ],
      [
        'cache writes without lifetimes',
        'claude-sonnet-4-5',
        message(100, 200, { cache_creation_input_tokens: 2000 }),
        '0.0108',
        '100×3 + 2000×3.75 + 200×15',
      ],
      [
        'a cache read at a twentieth',
        'claude-opus-5-5',
        message(0, 100, { cache_read_input_tokens: 10_000 }),
        '0.004',
        '10000×0.2 + 100×20',
      ],
      [
        'a cache read at a fortieth',
        'claude-fable-5-1',
        message(0, 100, { cache_read_input_tokens: 10_000 }),
        '0.0075',
        '10000×0.25 + 100×50',
      ],
      [
        'a cache read at a tenth',
        'claude-fable-5',
        message(0, 100, { cache_read_input_tokens: 10_000 }),
        '0.015',
        '10000×1 + 100×50',
      ],
      [
        'batch, as the tier that served it',
        'claude-sonnet-5',
        message(1000, 1000, { service_tier: 'batch' }),
        '0.006',
        '1000×1 + 1000×5',
      ],
      [
        'batch with a cache',
        'claude-sonnet-4-6',
        message(100, 100, { ...writes(1000, 0), cache_read_input_tokens: 1000 }),
        '0.002925',
        '100×1.5 + 1000×1.875 + 1000×0.15 + 100×7.5',
        { batch: true },
      ],
      [
        'batch with a cache of an hour',
        'claude-sonnet-4-6',
        message(100, 100, writes(0, 1000)),
        '0.0039',
        '100×1.5 + 1000×3 + 100×7.5',
        { batch: true },
      ],
      [
        'priority, which is a commitment',
        'claude-opus-4-5',
        message(1000, 100, { service_tier: 'priority' }),
        'unpriced',
        '',
      ],
    ]),
  );
});

describe('long context of Anthropic', () => {
  const before = '2026-03-12T23:59:59.999Z';
  const after = '2026-03-13T00:00:00.000Z';
  testPriceCases(
    casesOf({ provider: 'anthropic', source: pricing }, [
      ['one token below', 'claude-sonnet-4-5', message(199_999, 100), '0.601497', '199999×3 + 100×15'],
      ['exactly at the size', 'claude-sonnet-4-5', message(200_000, 100), '0.6015', '200000×3 + 100×15'],
      ['one token above', 'claude-sonnet-4-5', message(200_001, 100), '1.202256', '200001×6 + 100×22.5'],
      [
        'what was read from the cache counts for the size',
        'claude-sonnet-4-5',
        message(1, 100, { cache_read_input_tokens: 200_000 }),
        '0.122256',
        '1×6 + 200000×0.6 + 100×22.5',
      ],
      [
        'the day before it became flat',
        'claude-opus-4-6',
        message(200_001, 100),
        '2.00376',
        '200001×10 + 100×37.5',
        { at: before },
      ],
      [
        'the day it became flat',
        'claude-opus-4-6',
        message(200_001, 100),
        '1.002505',
        '200001×5 + 100×25',
        { at: after },
      ],
      [
        'flat to the end of its context',
        'claude-sonnet-4-6',
        message(999_000, 100),
        '2.9985',
        '999000×3 + 100×15',
      ],
    ]),
  );
});

describe('geographies and speeds of Anthropic', () => {
  testPriceCases(
    casesOf({ provider: 'anthropic', source: residency }, [
      [
        'bound to the US',
        'claude-sonnet-4-6',
        message(1000, 1000, { inference_geo: 'us' }),
        '0.0198',
        '1000×3×1.1 + 1000×15×1.1',
        { reference: '+us of ' },
      ],
      [
        'not bound',
        'claude-sonnet-4-6',
        message(1000, 1000, { inference_geo: 'global' }),
        '0.018',
        '1000×3 + 1000×15',
      ],
      [
        'of a model that cannot be bound',
        'claude-haiku-4-5',
        message(1000, 1000, { inference_geo: 'not_available' }),
        '0.006',
        '1000×1 + 1000×5',
      ],
      [
        'bound to a place without a price',
        'claude-sonnet-4-6',
        message(1000, 1000, { inference_geo: 'mars' }),
        'unpriced',
        '',
      ],
      [
        'bound to the US, with a cache',
        'claude-opus-5',
        message(100, 100, { ...writes(1000, 1000), cache_read_input_tokens: 1000, inference_geo: 'us' }),
        '0.021725',
        '100×5×1.1 + 1000×6.25×1.1 + 1000×10×1.1 + 1000×0.5×1.1 + 100×25×1.1',
      ],
      [
        'bound to the US, in batch mode',
        'claude-sonnet-5',
        message(1000, 1000, { inference_geo: 'us' }),
        '0.0066',
        '1000×2×0.5×1.1 + 1000×10×0.5×1.1',
        { batch: true },
      ],
      ['fast', 'claude-opus-5', message(1000, 100, { speed: 'fast' }), '0.015', '1000×10 + 100×50'],
      [
        'fast, six times the price',
        'claude-opus-4-6',
        message(1000, 100, { speed: 'fast' }),
        '0.045',
        '1000×30 + 100×150',
      ],
      [
        'fast, and bound to the US',
        'claude-opus-5',
        message(1000, 100, { speed: 'fast', inference_geo: 'us' }),
        '0.0165',
        '1000×5×2×1.1 + 100×25×2×1.1',
      ],
      ['fast where it is not sold', 'claude-sonnet-5', message(1000, 100, { speed: 'fast' }), 'unpriced', ''],
    ]),
  );
});
