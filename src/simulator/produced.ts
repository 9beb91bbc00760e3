import { parsedJson } from './parsed-json.ts';
import type { BilledTokens } from './simulator-prices.ts';
import { tokensOfText } from './token-counts.ts';

/*
 * What of an answer was produced by the time that its client broke the stream off: the prompt and the thinking, which
 * come before the first frame, and the text and the arguments of tools in the frames that were written.
 */

/** Fields of a delta that carry output which is billed as text, in every provider's words. */
const textFields: ReadonlySet<string> = new Set(['delta', 'content', 'text', 'partial_json', 'arguments']);

/** The answer's tokens, of whose output only what stands in the frames counts. */
export function producedTokens(
  tokens: BilledTokens,
  frames: readonly string[],
  charactersPerToken: number,
): BilledTokens {
  const text = frames.map(deltaOf).join('');
  return { ...tokens, text_output: Math.min(tokens.text_output, tokensOfText(text, charactersPerToken)) };
}

function deltaOf(frame: string): string {
  const data = /^data: (.*)$/m.exec(frame)?.[1] ?? '';
  return data.includes('"delta"') ? textWithin(parsedJson(data), false) : '';
}

function textWithin(value: unknown, isInDelta: boolean): string {
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([field, child]: [string, unknown]) => {
      const isDelta = isInDelta || field === 'delta';
      if (typeof child !== 'string') return textWithin(child, isDelta);
      return isDelta && textFields.has(field) ? child : '';
    })
    .join('');
}
