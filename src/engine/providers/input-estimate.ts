import { encodingOf, estimateTokens } from './token-estimate.ts';

/*
 * How many tokens a request's input has, before it is made. Every request under a limit is estimated, so it must be cheap:
 * short texts of models with a known encoding are encoded, all others are counted by their characters.
 */

/** Encoded texts take up to a millisecond or so of the event loop. */
const maxEncodedCharacters = 2000;
const charactersPerToken = 4;

/** About how many tokens the text has for the model. */
export function estimateInputTokens(modelId: string, text: string): number | Promise<number> {
  if (text.length > maxEncodedCharacters || !hasKnownEncoding(modelId))
    return Math.ceil(text.length / charactersPerToken);
  return estimateTokens(modelId, text);
}

/** How many characters of a text of unknown encoding are so many tokens. */
export function charactersOfTokens(tokens: number): number {
  return tokens * charactersPerToken;
}

/** Loads an encoder ahead of its first use, which would hold up the event loop for some hundred milliseconds. */
export async function warmInputEstimates(modelIds: readonly string[]): Promise<void> {
  const byEncoding = new Map(
    modelIds.filter(hasKnownEncoding).map((modelId) => [encodingOf(modelId), modelId]),
  );
  for (const modelId of byEncoding.values()) await estimateTokens(modelId, 'warm');
}

function hasKnownEncoding(modelId: string): boolean {
  return /^(gpt-|chatgpt-|o\d|text-embedding-)/.test(modelId);
}
