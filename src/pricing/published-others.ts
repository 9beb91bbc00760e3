import type { OverlayInput } from './overlay-content.ts';

/*
 * What Anthropic, Google, xAI, Groq and Amazon publish and the packaged catalogue lacks: tiers, batch mode, geographies,
 * uses of tools, newer models.
 */

type PriceInput = NonNullable<OverlayInput['prices']>[number];
type UnitInput = NonNullable<OverlayInput['units']>[number];

const anthropicPricing = 'https://platform.claude.com/docs/en/about-claude/pricing (2026-11-29)';
const anthropicResidency = 'https://platform.claude.com/docs/en/manage-claude/data-residency (2026-11-29)';
const anthropicFast = 'https://platform.claude.com/docs/en/build-with-claude/fast-mode (2026-11-29)';
const geminiPricing = 'https://ai.google.dev/gemini-api/docs/pricing (2026-11-29)';
const xaiPricing = 'https://docs.x.ai/developers/pricing (2026-11-29)';
const groqFlex = 'https://console.groq.com/docs/flex-processing (2026-11-29)';
const awsTiers = 'https://aws.amazon.com/bedrock/pricing/ (2026-11-29)';

// The place multiplies every token rate of the models from 4.6 on; earlier models are not bound to one.
const modelsInUs = [
  'claude-opus-4-6',
  'claude-opus-4-7',
  'claude-opus-4-8',
  'claude-opus-5',
  'claude-opus-5-5',
  'claude-sonnet-4-6',
  'claude-sonnet-5',
  'claude-fable-5',
  'claude-fable-5-1',
];

const anthropicGeography = modelsInUs.map((model): PriceInput => ({
  provider: 'anthropic',
  model,
  geography: 'us',
  multiplier: '1.1',
  source: anthropicResidency,
}));

const fastModels: readonly (readonly [model: string, multiplier: string])[] = [
  ['claude-opus-4-6', '6'],
  ['claude-opus-4-8', '2'],
  ['claude-opus-5', '2'],
  ['claude-opus-5-5', '2'],
];

const anthropicTiers: PriceInput[] = [
  { provider: 'anthropic', model: '*', batch: true, multiplier: '0.5', source: anthropicPricing },
  ...fastModels.map(([model, multiplier]): PriceInput => ({
    provider: 'anthropic',
    model,
    tier: 'fast',
    multiplier,
    source: anthropicFast,
  })),
];

/** A Gemini model, and the rates that do not follow its tier's factor, by tier. */
interface GeminiTiers {
  readonly model: string;
  /** Cached input that costs in batch and flex what it costs otherwise. */
  readonly unchanged?: PriceInput['rates'];
  readonly flex?: PriceInput['rates'];
  readonly priority?: PriceInput['rates'];
}

const above200k = (usdPerMillion: string, above: string) => ({
  usdPerMillion,
  tiers: [{ aboveInputTokens: 200_000, usdPerMillion: above }],
});

const geminiModels: readonly GeminiTiers[] = [
  { model: 'gemini-2.5-pro', unchanged: { cache_read: above200k('0.125', '0.25') } },
  { model: 'gemini-2.5-flash', unchanged: { cache_read: '0.03', cache_read_audio: '0.1' } },
  { model: 'gemini-2.5-flash-lite', unchanged: { cache_read: '0.01', cache_read_audio: '0.03' } },
  { model: 'gemini-3-flash-preview', unchanged: { cache_read: '0.05', cache_read_audio: '0.1' } },
  { model: 'gemini-3.1-pro-preview', unchanged: { cache_read: above200k('0.2', '0.4') } },
  { model: 'gemini-3.1-flash-lite' },
  { model: 'gemini-3.5-flash', flex: { cache_read: '0.08' } },
  { model: 'gemini-3.5-flash-lite', flex: { cache_read: '0.02' }, priority: { cache_read: '0.05' } },
  { model: 'gemini-3.6-flash' },
  { model: 'gemini-3.7-flash' },
  { model: 'gemini-3.8-flash' },
];

const geminiTiers = geminiModels.flatMap(({ model, unchanged, flex, priority }): PriceInput[] => {
  const rule = { provider: 'google', model, source: geminiPricing };
  const withRates = (rates: PriceInput['rates']) => (rates === undefined ? {} : { rates });
  return [
    { ...rule, batch: true, multiplier: '0.5', ...withRates(unchanged) },
    { ...rule, tier: 'flex', multiplier: '0.5', ...withRates(flex ?? unchanged) },
    { ...rule, tier: 'priority', multiplier: '1.8', ...withRates(priority) },
  ];
});

const novaModels = ['amazon.nova-pro-v1:0', 'us.amazon.nova-pro-v1:0'];

const awsModelTiers = novaModels.flatMap((model): PriceInput[] => [
  { provider: 'aws', model, tier: 'flex', multiplier: '0.5', source: awsTiers },
  { provider: 'aws', model, tier: 'priority', multiplier: '1.75', source: awsTiers },
]);

const groqTiers: PriceInput[] = [
  { provider: 'groq', model: '*', tier: 'flex', multiplier: '1', source: groqFlex },
];

// "Long context: 200k tokens and more."
const from200k = (usdPerMillion: string, above: string) => ({
  usdPerMillion,
  tiers: [{ aboveInputTokens: 199_999, usdPerMillion: above }],
});

const xaiModels: readonly (readonly [model: string, input: string, cached: string, output: string])[] = [
  ['grok-4.7', '2', '0.5', '6'],
  ['grok-4.20-multi-agent-0309', '1.25', '0.2', '2.5'],
  ['grok-4.20-0309-reasoning', '1.25', '0.2', '2.5'],
  ['grok-4.20-0309-non-reasoning', '1.25', '0.2', '2.5'],
];

const doubled: Readonly<Record<string, string>> = {
  '2': '4',
  '0.5': '1',
  '6': '12',
  '1.25': '2.5',
  '0.2': '0.4',
  '2.5': '5',
};

const xaiRate = (rate: string) => from200k(rate, doubled[rate] ?? rate);

const xaiPrices = xaiModels.map(([model, input, cached, output]): PriceInput => {
  const text = xaiRate(input);
  return {
    provider: 'x-ai',
    model,
    rates: {
      uncached_input: text,
      image_input: text,
      cache_read: xaiRate(cached),
      text_output: xaiRate(output),
    },
    source: xaiPricing,
  };
});

const units: readonly (readonly [string, UnitInput['unit'], string, string])[] = [
  ['anthropic', 'web_search', '0.01', anthropicPricing],
  ['anthropic', 'web_fetch', '0', anthropicPricing],
  ['x-ai', 'web_search', '0.005', xaiPricing],
  ['x-ai', 'x_search', '0.005', xaiPricing],
  ['x-ai', 'code_execution', '0.005', xaiPricing],
  ['x-ai', 'file_search', '0.0025', xaiPricing],
];

/** Tiers, batch mode and geographies: multiples of standard prices. */
export const otherTiers: readonly PriceInput[] = [
  ...anthropicTiers,
  ...anthropicGeography,
  ...geminiTiers,
  ...awsModelTiers,
  ...groqTiers,
];

/** Standard prices that the catalogue lacks. */
export const otherPrices: readonly PriceInput[] = xaiPrices;

/** Uses of tools that the catalogue lacks. */
export const publishedUnits: readonly UnitInput[] = units.map(([provider, unit, usdPerUse, source]) => ({
  provider,
  unit,
  usdPerUse,
  source,
}));
