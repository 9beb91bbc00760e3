import { invariant } from '../kernel/invariant.ts';
import { contentDigest, PriceOverlay } from './overlay.ts';
import { type OverlayInput, parseOverlayContent } from './overlay-content.ts';

/*
 * What the packaged catalogue lacks and the providers publish: batch and flex discounts, priority rates,
 * and the most tokens that models put out. As published by the providers, checked against search excerpts of
 * their pages; verify against your contract. A mode that is not here (priority of other models, Anthropic's
 * priority tier and fast mode, scale tier) is unpriced on purpose.
 */

type PriceInput = NonNullable<OverlayInput['prices']>[number];
type LimitInput = NonNullable<OverlayInput['limits']>[number];

// Batch halves every rate. OpenAI lists cached input in batch mode from GPT-5 on; before, a cached token costs
// what any input token costs.
const batch: PriceInput[] = [
  { provider: 'anthropic', model: '*', batch: true, multiplier: '0.5' },
  { provider: 'openai', model: '*', batch: true, multiplier: '0.5' },
  ...['gpt-4*', 'o1*', 'o3*', 'o4*'].map((model): PriceInput => ({
    provider: 'openai',
    model,
    batch: true,
    multiplier: '0.5',
    without: ['cache_read'],
  })),
];

// Flex costs what batch costs, with cached input discounted for every model that offers it.
const flex = ['gpt-5*', 'gpt-6*', 'o3*', 'o4-mini*'].map((model): PriceInput => ({
  provider: 'openai',
  model,
  tier: 'flex',
  multiplier: '0.5',
}));

/** Model, and its priority rates for uncached input, cache read and text output. */
const openaiPriorityRates: readonly (readonly [string, string, string, string])[] = [
  ['gpt-5.5', '12.5', '1.25', '75'],
  ['gpt-5.4', '5', '0.5', '30'],
  ['gpt-5.4-mini', '1.5', '0.15', '9'],
  ['gpt-5.2', '3.5', '0.35', '28'],
  ['gpt-5.1', '2.5', '0.25', '20'],
  ['gpt-5.1-codex', '2.5', '0.25', '20'],
  ['gpt-5', '2.5', '0.25', '20'],
  ['gpt-5-codex', '2.5', '0.25', '20'],
  ['gpt-5-mini', '0.45', '0.045', '3.6'],
  ['gpt-4.1', '3.5', '0.875', '14'],
  ['gpt-4.1-mini', '0.7', '0.175', '2.8'],
  ['gpt-4.1-nano', '0.2', '0.05', '0.8'],
  ['gpt-4o-2024-11-20', '4.25', '2.125', '17'],
  ['gpt-4o-2024-08-06', '4.25', '2.125', '17'],
  ['gpt-4o', '4.25', '2.125', '17'],
  ['gpt-4o-2024-05-13', '8.75', '8.75', '26.25'],
];

// "fast" is OpenAI's newer name of the same tier.
const priority = openaiPriorityRates.flatMap(([model, uncached_input, cache_read, text_output]) =>
  ['priority', 'fast'].map((tier): PriceInput => ({
    provider: 'openai',
    model,
    tier,
    rates: { uncached_input, cache_read, text_output },
  })),
);

const outputLimits: readonly (readonly [
  provider: string,
  maxOutputTokens: number,
  models: readonly string[],
])[] = [
  ['openai', 4_096, ['gpt-3.5-turbo', 'gpt-4-turbo*', 'gpt-4o-2024-05-13']],
  ['openai', 8_192, ['gpt-4', 'gpt-4-0613']],
  [
    'openai',
    16_384,
    ['gpt-4o*', 'chatgpt-4o-latest', 'gpt-5-chat*', 'gpt-5.1-chat*', 'gpt-5.2-chat*', 'gpt-5.3-chat*'],
  ],
  ['openai', 32_768, ['gpt-4.1*', 'o1-preview*']],
  ['openai', 65_536, ['o1-mini*']],
  ['openai', 100_000, ['o1', 'o1-pro', 'o3*', 'o4-mini*', 'codex-mini*']],
  ['openai', 128_000, ['gpt-5*', 'gpt-6*']],
  ['openai', 272_000, ['gpt-5-pro*']],
  ['anthropic', 4_096, ['claude-3-haiku*', 'claude-3-opus*']],
  ['anthropic', 8_192, ['claude-3-5-sonnet*', 'claude-3-5-haiku*']],
  ['anthropic', 32_000, ['claude-opus-4', 'claude-opus-4-0*', 'claude-opus-4-1*']],
  ['anthropic', 64_000, ['claude-sonnet-4', 'claude-sonnet-4-0*']],
  ['anthropic', 64_000, ['claude-sonnet-4-5*', 'claude-haiku-4-5*', 'claude-opus-4-5*']],
  ['anthropic', 128_000, ['claude-3-7-sonnet*', 'claude-sonnet-4-6*', 'claude-sonnet-5*', 'claude-fable-5*']],
  ['anthropic', 128_000, ['claude-opus-4-6*', 'claude-opus-4-7*', 'claude-opus-4-8*', 'claude-opus-5*']],
];

const limits = outputLimits.flatMap(([provider, maxOutputTokens, models]) =>
  models.map((model): LimitInput => ({ provider, model, maxOutputTokens, asOf: '2026-11-01' })),
);

/** The overlay that is shipped with the program. */
export function packagedOverlay(): PriceOverlay {
  const input: OverlayInput = { prices: [...batch, ...flex, ...priority], limits };
  const parsed = parseOverlayContent(input);
  invariant('content' in parsed, 'the packaged overlay is valid');
  return new PriceOverlay(`packaged-overlay:${contentDigest(JSON.stringify(input))}`, parsed.content);
}
