/*
 * What a provider's answer tells of its limits: OpenAI's and Anthropic's headers. Anthropic's separate limits of input and
 * output tokens are not read: its "tokens" headers tell of whichever of them is the tightest.
 */

/** One limit, as far as the provider tells it. */
export interface LimitReading {
  readonly perMinute: number | undefined;
  readonly remaining: number | undefined;
}

/** Header names in lower case. */
export type LimitHeaders = Readonly<Record<string, string | undefined>>;

/** Reads the limit of requests or of tokens; nothing when the provider does not speak of it. */
export function readLimit(headers: LimitHeaders | undefined, what: 'requests' | 'tokens'): LimitReading {
  const number = (...names: readonly string[]): number | undefined =>
    names.map((name) => wholeNumberIn(headers?.[name])).find((value) => value !== undefined);
  return {
    perMinute: positive(number(`x-ratelimit-limit-${what}`, `anthropic-ratelimit-${what}-limit`)),
    remaining: number(`x-ratelimit-remaining-${what}`, `anthropic-ratelimit-${what}-remaining`),
  };
}

function wholeNumberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}

/** A limit of nothing would let nothing through for ever. */
function positive(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}
