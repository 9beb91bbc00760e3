import { invariant } from '../kernel/invariant.ts';
import { contentDigest, PriceOverlay } from './overlay.ts';
import { type OverlayInput, parseOverlayContent } from './overlay-content.ts';
import { openAiPrices, openAiTiers } from './published-openai.ts';
import { otherPrices, otherTiers, publishedUnits } from './published-others.ts';

/*
 * What the packaged catalogue lacks and the providers publish, as two catalogues: multiples of standard prices (tiers, batch
 * mode, geographies), and standard prices that the catalogue does not have, with uses of tools and the most tokens that
 * models put out. Every entry names its source. Verify against your contract. A mode that is not here (Anthropic's priority
 * tier, scale tier) is unpriced on purpose.
 */

type LimitInput = NonNullable<OverlayInput['limits']>[number];

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

/** What is shipped with the program beside the catalogue, in order of precedence. */
export function packagedOverlays(): readonly PriceOverlay[] {
  return [
    overlayOf('packaged-overlay', { prices: [...openAiTiers, ...otherTiers] }),
    overlayOf('packaged-prices', {
      prices: [...openAiPrices, ...otherPrices],
      units: [...publishedUnits],
      limits,
    }),
  ];
}

function overlayOf(name: string, input: OverlayInput): PriceOverlay {
  const parsed = parseOverlayContent(input);
  invariant('content' in parsed, `the ${name} is valid: ${JSON.stringify(parsed)}`);
  return new PriceOverlay(`${name}:${contentDigest(JSON.stringify(input))}`, parsed.content);
}
