import type { Random } from './draws.ts';
import type { CacheBreakpoint, ModelRequest } from './endpoint.ts';
import type { BilledTokens, SimulatedModel } from './simulator-prices.ts';

/*
 * How many tokens a request is billed for. The counts are approximate by length, but the simulator is the authority
 * on them, as a provider is.
 */

/** What an image counts for, whatever its size. */
const imageTokens = 765;
/** What the wrapping of one message counts for. */
const messageTokens = 4;

export function tokensOfText(text: string, charactersPerToken: number): number {
  return Math.ceil(text.length / charactersPerToken);
}

/** Walks along a prompt and counts it, keeping its texts. */
export class PromptMeter {
  readonly texts: string[] = [];
  readonly breakpoints: CacheBreakpoint[] = [];
  readonly #charactersPerToken: number;
  #tokens = 3;

  constructor(charactersPerToken: number) {
    this.#charactersPerToken = charactersPerToken;
  }

  get tokens(): number {
    return this.#tokens;
  }

  message(): void {
    this.#tokens += messageTokens;
  }

  text(text: string): void {
    this.texts.push(text);
    this.#tokens += tokensOfText(text, this.#charactersPerToken);
  }

  image(): void {
    this.#tokens += imageTokens;
  }

  /** Something that counts by its JSON text, such as a tool or a schema. */
  json(value: unknown): void {
    this.#tokens += tokensOfText(JSON.stringify(value), this.#charactersPerToken);
  }

  /** The client wants the prompt up to here kept. */
  breakpoint(lifetime: '5m' | '1h'): void {
    this.breakpoints.push({ endTokens: this.#tokens, lifetime });
  }
}

type InputTokens = Omit<BilledTokens, 'text_output' | 'reasoning'>;

/** The input in its disjoint classes. What was cached before is drawn, not remembered, so that order does not matter. */
export function inputTokensByClass(
  request: ModelRequest,
  model: SimulatedModel,
  random: Random,
): InputTokens {
  const { inputTokens, caching } = request;
  const plain = { uncached_input: inputTokens, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0 };
  if (caching === 'none') return plain;
  if (caching === 'automatic') {
    const isCached = inputTokens >= model.minCachedTokens && random() < 0.5;
    if (!isCached) return plain;
    const drawn = Math.floor((inputTokens * (0.3 + 0.65 * random())) / 128) * 128;
    const cache_read = Math.min(inputTokens, Math.max(model.minCachedTokens, drawn));
    return { ...plain, uncached_input: inputTokens - cache_read, cache_read };
  }
  const prefix = caching.at(-1)?.endTokens ?? 0;
  if (prefix < model.minCachedTokens) return plain;
  const draw = random();
  const cache_read = draw < 0.45 ? 0 : draw < 0.85 ? prefix : Math.floor(prefix / 2);
  const written = { '5m': 0, '1h': 0 };
  let start = 0;
  for (const { endTokens, lifetime } of caching) {
    written[lifetime] += Math.max(0, endTokens - Math.max(start, cache_read));
    start = endTokens;
  }
  return {
    uncached_input: inputTokens - prefix,
    cache_read,
    cache_write_5m: written['5m'],
    cache_write_1h: written['1h'],
  };
}
