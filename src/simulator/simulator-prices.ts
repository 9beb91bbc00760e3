import { invariant } from '../kernel/invariant.ts';

/*
 * The simulator's own price table and arithmetic. It shares nothing with src/pricing on purpose: the bill is the
 * yardstick that the ledger's sums are held against. Amounts are whole atto-dollars (10^-18 USD) in a bigint.
 * Rates are the providers' public list prices in US dollars per million tokens.
 */

/** Disjoint counts of the tokens that a request is billed for. */
export interface BilledTokens {
  readonly uncached_input: number;
  readonly cache_read: number;
  readonly cache_write_5m: number;
  readonly cache_write_1h: number;
  readonly text_output: number;
  readonly reasoning: number;
}

/** US dollars per million tokens, as decimal text. Reasoning is billed as output. */
export interface ListRates {
  readonly input: string;
  readonly output: string;
  readonly cacheRead?: string;
  readonly cacheWrite5m?: string;
  readonly cacheWrite1h?: string;
}

export type SimulatedProvider = 'openai' | 'anthropic';

/** A model that the simulator serves, what it can take, and what it costs per service tier. */
export interface SimulatedModel {
  readonly provider: SimulatedProvider;
  readonly id: string;
  /** The dated id that the provider answers with. */
  readonly answeredId: string;
  readonly kind: 'language' | 'embedding';
  /** Whether it thinks unasked and bills the thinking. */
  readonly isReasoning: boolean;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  /** The shortest prompt prefix that the provider caches. */
  readonly minCachedTokens: number;
  /** By answered service tier; a tier that is absent is not offered. */
  readonly rates: Readonly<Partial<Record<string, ListRates>>>;
}

interface GptModel {
  readonly id: string;
  readonly answeredId: string;
  readonly isReasoning: boolean;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  readonly rates: Readonly<Partial<Record<string, ListRates>>>;
}

const gpt = (model: GptModel): SimulatedModel => ({
  ...model,
  provider: 'openai',
  kind: 'language',
  minCachedTokens: 1024,
});

const claude = (
  id: string,
  answeredId: string,
  minCachedTokens: number,
  rates: ListRates,
): SimulatedModel => ({
  provider: 'anthropic',
  id,
  answeredId,
  kind: 'language',
  isReasoning: false,
  contextTokens: 200_000,
  maxOutputTokens: 64_000,
  minCachedTokens,
  rates: { standard: rates },
});

/** Every model that the simulator serves. */
export const simulatedModels: readonly SimulatedModel[] = [
  gpt({
    id: 'gpt-5',
    answeredId: 'gpt-5-2025-08-07',
    isReasoning: true,
    contextTokens: 400_000,
    maxOutputTokens: 128_000,
    rates: {
      default: { input: '1.25', cacheRead: '0.125', output: '10' },
      flex: { input: '0.625', cacheRead: '0.0625', output: '5' },
      priority: { input: '2.5', cacheRead: '0.25', output: '20' },
    },
  }),
  gpt({
    id: 'gpt-5-mini',
    answeredId: 'gpt-5-mini-2025-08-07',
    isReasoning: true,
    contextTokens: 400_000,
    maxOutputTokens: 128_000,
    rates: {
      default: { input: '0.25', cacheRead: '0.025', output: '2' },
      flex: { input: '0.125', cacheRead: '0.0125', output: '1' },
      priority: { input: '0.45', cacheRead: '0.045', output: '3.6' },
    },
  }),
  gpt({
    id: 'gpt-5-nano',
    answeredId: 'gpt-5-nano-2025-08-07',
    isReasoning: true,
    contextTokens: 400_000,
    maxOutputTokens: 128_000,
    rates: {
      default: { input: '0.05', cacheRead: '0.005', output: '0.4' },
      flex: { input: '0.025', cacheRead: '0.0025', output: '0.2' },
    },
  }),
  gpt({
    id: 'gpt-4.1-mini',
    answeredId: 'gpt-4.1-mini-2025-04-14',
    isReasoning: false,
    contextTokens: 1_000_000,
    maxOutputTokens: 32_768,
    rates: {
      default: { input: '0.4', cacheRead: '0.1', output: '1.6' },
      priority: { input: '0.7', cacheRead: '0.175', output: '2.8' },
    },
  }),
  gpt({
    id: 'gpt-4o-mini',
    answeredId: 'gpt-4o-mini-2024-07-18',
    isReasoning: false,
    contextTokens: 128_000,
    maxOutputTokens: 16_384,
    rates: {
      default: { input: '0.15', cacheRead: '0.075', output: '0.6' },
      priority: { input: '0.25', cacheRead: '0.125', output: '1' },
    },
  }),
  // In no catalogue: whoever meters it finds no price, while it is billed all the same.
  gpt({
    id: 'experimental-unpriced',
    answeredId: 'experimental-unpriced',
    isReasoning: false,
    contextTokens: 128_000,
    maxOutputTokens: 16_384,
    rates: { default: { input: '1', cacheRead: '0.5', output: '3' } },
  }),
  {
    provider: 'openai',
    id: 'text-embedding-3-small',
    answeredId: 'text-embedding-3-small',
    kind: 'embedding',
    isReasoning: false,
    contextTokens: 8_192,
    maxOutputTokens: 0,
    minCachedTokens: Number.MAX_SAFE_INTEGER,
    rates: { default: { input: '0.02', output: '0' } },
  },
  claude('claude-sonnet-4-5', 'claude-sonnet-4-5-20250929', 1024, {
    input: '3',
    cacheRead: '0.3',
    cacheWrite5m: '3.75',
    cacheWrite1h: '6',
    output: '15',
  }),
  claude('claude-haiku-4-5', 'claude-haiku-4-5-20251001', 4096, {
    input: '1',
    cacheRead: '0.1',
    cacheWrite5m: '1.25',
    cacheWrite1h: '2',
    output: '5',
  }),
  claude('claude-opus-4-5', 'claude-opus-4-5-20251101', 4096, {
    input: '5',
    cacheRead: '0.5',
    cacheWrite5m: '6.25',
    cacheWrite1h: '10',
    output: '25',
  }),
];

const modelsByName = new Map(
  simulatedModels.flatMap((model) => [
    [`${model.provider}/${model.id}`, model] as const,
    [`${model.provider}/${model.answeredId}`, model] as const,
  ]),
);

/** The model of that undated or dated name. */
export function findSimulatedModel(provider: SimulatedProvider, name: string): SimulatedModel | undefined {
  return modelsByName.get(`${provider}/${name}`);
}

/** The tier of requests that came in a batch: half of the ordinary one's price, in every class of tokens. */
export const batchTier = 'batch';

/** The tier that a model is served at when nobody asks for another. */
export function ordinaryTier({ provider }: SimulatedModel): string {
  return provider === 'openai' ? 'default' : 'standard';
}

/** What the tokens cost at the tier's list price, in atto-dollars. Fails on a class that the model does not sell. */
export function billedAtto(model: SimulatedModel, tier: string, tokens: BilledTokens): bigint {
  if (tier === batchTier) {
    const whole = billedAtto(model, ordinaryTier(model), tokens);
    invariant(whole % 2n === 0n, 'an ordinary price can be halved');
    return whole / 2n;
  }
  const rates = model.rates[tier];
  invariant(rates, `${model.id} is sold at tier ${tier}`);
  return (
    classAtto(tokens.uncached_input, rates.input) +
    classAtto(tokens.cache_read, rates.cacheRead) +
    classAtto(tokens.cache_write_5m, rates.cacheWrite5m) +
    classAtto(tokens.cache_write_1h, rates.cacheWrite1h) +
    classAtto(tokens.text_output + tokens.reasoning, rates.output)
  );
}

function classAtto(tokens: number, usdPerMillion: string | undefined): bigint {
  if (tokens === 0) return 0n;
  invariant(Number.isSafeInteger(tokens) && tokens > 0, `${tokens} is a count of tokens`);
  invariant(usdPerMillion !== undefined, 'a token class in use has a rate');
  return BigInt(tokens) * attoPerToken(usdPerMillion);
}

const attoPerTokenByRate = new Map<string, bigint>();

/** A dollar is 10^18 atto, so a dollar per million tokens is 10^12 atto per token. */
function attoPerToken(usdPerMillion: string): bigint {
  const known = attoPerTokenByRate.get(usdPerMillion);
  if (known !== undefined) return known;
  const atto = parseDecimal(usdPerMillion, 12);
  attoPerTokenByRate.set(usdPerMillion, atto);
  return atto;
}

/** Atto-dollars of an amount's decimal text. */
export function attoOfUsd(text: string): bigint {
  return parseDecimal(text, 18);
}

/** The amount's plain decimal text in dollars, without trailing zeros: "0.00125". */
export function usdOfAtto(atto: bigint): string {
  const digits = atto.toString().padStart(19, '0');
  const fraction = digits.slice(-18).replace(/0+$/, '');
  const whole = digits.slice(0, -18);
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

function parseDecimal(text: string, scale: number): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  invariant(
    /^\d+$/.test(whole) && /^\d*$/.test(fraction) && fraction.length <= scale,
    `"${text}" is a decimal amount`,
  );
  return BigInt(whole + fraction.padEnd(scale, '0'));
}
