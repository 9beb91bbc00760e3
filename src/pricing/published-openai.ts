import type { OverlayInput } from './overlay-content.ts';

/*
 * What OpenAI and Azure publish and the packaged catalogue lacks: tiers and batch mode by model, fine-tuned models, and
 * models that are newer than the catalogue. A model that is missing from a tier's list has no published price in it and is
 * unpriced there.
 */

type PriceInput = NonNullable<OverlayInput['prices']>[number];

const pricingPage = 'https://developers.openai.com/api/docs/pricing (2026-11-29)';
const fastModePage = 'https://openai.com/api-fast-mode/ (2026-11-29)';
const azurePrices = 'https://azure.microsoft.com/pricing/details/azure-openai/ (2026-11-29)';
const longContextModels = 'https://developers.openai.com/api/docs/models/gpt-6.1-sol (2026-11-29)';

// Batch halves every rate. OpenAI lists cached input in batch mode from GPT-5 on; before, a cached token costs
// what any input token costs.
const batch: PriceInput[] = [
  { provider: 'openai', model: '*', batch: true, multiplier: '0.5', source: pricingPage },
  ...['gpt-4*', 'o1*', 'o3*', 'o4*'].map((model): PriceInput => ({
    provider: 'openai',
    model,
    batch: true,
    multiplier: '0.5',
    without: ['cache_read'],
    source: pricingPage,
  })),
];

// Flex costs what batch costs, with cached input discounted for every model that offers it.
const flexModels: Readonly<Record<string, readonly string[]>> = {
  openai: [
    'gpt-5',
    'gpt-5-mini',
    'gpt-5-nano',
    'gpt-5.1',
    'gpt-5.2',
    'o3',
    'o4-mini',
    'gpt-5.4',
    'gpt-5.4-mini',
    'gpt-5.4-nano',
    'gpt-5.4-pro',
    'gpt-5.5',
    'gpt-5.5-pro',
    'gpt-5.6',
    'gpt-5.6-sol',
    'gpt-5.6-terra',
    'gpt-5.6-luna',
    'gpt-6-astra',
    'gpt-6-sol',
    'gpt-6-luna',
    'gpt-6.1-sol',
  ],
  azure: [
    'gpt-5.4',
    'gpt-5.4-mini',
    'gpt-5.4-nano',
    'gpt-5.4-pro',
    'gpt-5.6-sol',
    'gpt-5.6-terra',
    'gpt-5.6-luna',
    'gpt-6-astra',
    'gpt-6-sol',
    'gpt-6-luna',
  ],
};

const flex = Object.entries(flexModels).flatMap(([provider, models]) =>
  models.map((model): PriceInput => ({
    provider,
    model,
    tier: 'flex',
    multiplier: '0.5',
    source: provider === 'azure' ? azurePrices : pricingPage,
  })),
);

/** Model, and its priority rates for uncached input, cache read and text output. Azure lists the same where marked. */
const priorityRates: readonly (readonly [string, string, string, string, 'azure'?])[] = [
  ['gpt-5.5', '12.5', '1.25', '75', 'azure'],
  ['gpt-5.4', '5', '0.5', '30', 'azure'],
  ['gpt-5.4-mini', '1.5', '0.15', '9', 'azure'],
  ['gpt-5.3-codex', '3.5', '0.35', '28', 'azure'],
  ['gpt-5.2', '3.5', '0.35', '28', 'azure'],
  ['gpt-5.1', '2.5', '0.25', '20', 'azure'],
  ['gpt-5.1-codex', '2.5', '0.25', '20', 'azure'],
  ['gpt-5', '2.5', '0.25', '20', 'azure'],
  ['gpt-5-codex', '2.5', '0.25', '20'],
  ['gpt-5-mini', '0.45', '0.045', '3.6', 'azure'],
  ['gpt-4.1', '3.5', '0.875', '14', 'azure'],
  ['gpt-4.1-mini', '0.7', '0.175', '2.8', 'azure'],
  ['gpt-4.1-nano', '0.2', '0.05', '0.8'],
  ['gpt-4o', '4.25', '2.125', '17'],
  ['gpt-4o-2024-11-20', '4.25', '2.125', '17'],
  ['gpt-4o-2024-08-06', '4.25', '2.125', '17'],
  ['gpt-4o-2024-05-13', '8.75', '8.75', '26.25'],
  ['gpt-4o-mini', '0.25', '0.125', '1'],
  ['o3', '3.5', '0.875', '14'],
  ['o4-mini', '2', '0.5', '8'],
];

const statedPriority = priorityRates.flatMap(
  ([model, uncached_input, cache_read, text_output, isAtAzure]): PriceInput[] => {
    const rates = { uncached_input, cache_read, text_output };
    return [
      { provider: 'openai', model, tier: 'priority', rates, source: pricingPage },
      ...(isAtAzure === undefined
        ? []
        : [{ provider: 'azure', model, tier: 'priority', rates, source: azurePrices } satisfies PriceInput]),
    ];
  },
);

// From GPT-5.6 on, fast mode is twice the standard price in every class and band.
const doubledPriority: readonly (readonly [model: string, from: string | undefined, isAtAzure: boolean])[] = [
  ['gpt-5.6', '2026-07-30', false],
  ['gpt-5.6-sol', '2026-07-30', true],
  ['gpt-5.6-terra', '2026-07-30', true],
  ['gpt-5.6-luna', '2026-07-30', true],
  ['gpt-6-astra', undefined, false],
  ['gpt-6-sol', undefined, true],
  ['gpt-6-luna', undefined, false],
  ['gpt-6.1-sol', undefined, false],
];

const priority = doubledPriority.flatMap(([model, from, isAtAzure]): PriceInput[] => {
  const rule = { model, ...(from === undefined ? {} : { from }), tier: 'priority', multiplier: '2' };
  return [
    { provider: 'openai', ...rule, source: from === undefined ? pricingPage : fastModePage },
    ...(isAtAzure ? [{ provider: 'azure', ...rule, source: azurePrices }] : []),
  ];
});

/** A fine-tuned model's base, and its rates for uncached input, cache read and text output; then the same in batch mode. */
const fineTunedRates: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['gpt-4.1-2025-04-14', ['3', '0.75', '12'], ['1.5', '0.5', '6']],
  ['gpt-4.1-mini-2025-04-14', ['0.8', '0.2', '3.2'], ['0.4', '0.1', '1.6']],
  ['gpt-4.1-nano-2025-04-14', ['0.2', '0.05', '0.8'], ['0.1', '0.025', '0.4']],
  ['gpt-4o-2024-08-06', ['3.75', '1.875', '15'], ['2.225', '0.9', '12.5']],
  ['gpt-4o-mini-2024-07-18', ['0.3', '0.15', '1.2'], ['0.15', '0.075', '0.6']],
  ['o4-mini-2025-04-16', ['4', '1', '16'], ['2', '0.5', '8']],
];

const fineTuned = fineTunedRates.flatMap(([base, standard, inBatch]) =>
  [standard, inBatch].map(([uncached_input = '', cache_read = '', text_output = ''], index): PriceInput => ({
    provider: 'openai',
    model: `ft:${base}`,
    batch: index === 1,
    rates: { uncached_input, cache_read, text_output },
    source: pricingPage,
  })),
);

// These are sold without a cached-input price.
const fineTunedUncached = [
  'gpt-3.5-turbo',
  'gpt-3.5-turbo-0125',
  'gpt-3.5-turbo-1106',
  'gpt-3.5-turbo-0613',
].map((base): PriceInput => ({
  provider: 'openai',
  model: `ft:${base}`,
  rates: { uncached_input: '3', text_output: '6' },
  source: pricingPage,
}));

const banded = (usdPerMillion: string, above: string) => ({
  usdPerMillion,
  tiers: [{ aboveInputTokens: 272_000, usdPerMillion: above }],
});

const newer: PriceInput[] = [
  {
    provider: 'openai',
    model: 'gpt-6.1-sol',
    rates: {
      uncached_input: banded('2', '4'),
      cache_read: banded('0.1', '0.2'),
      cache_write_5m: banded('2.5', '5'),
      text_output: banded('10', '15'),
    },
    source: longContextModels,
  },
  {
    provider: 'azure',
    model: 'gpt-4-turbo',
    rates: { uncached_input: '11', text_output: '33' },
    source: azurePrices,
  },
  {
    provider: 'azure',
    model: 'gpt-4-turbo-2024-04-09',
    rates: { uncached_input: '11', text_output: '33' },
    source: azurePrices,
  },
];

/** Tiers and batch mode: multiples of standard prices, and prices of their own. */
export const openAiTiers: readonly PriceInput[] = [...batch, ...flex, ...statedPriority, ...priority];

/** Standard prices that the catalogue lacks or has otherwise. */
export const openAiPrices: readonly PriceInput[] = [...fineTuned, ...fineTunedUncached, ...newer];
