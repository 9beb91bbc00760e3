import { charactersOfTokens } from '../../../engine/providers/input-estimate.ts';

/** Data with a text of it cut; or why that cannot be. */
export type Truncated =
  | { readonly kind: 'cut'; readonly data: unknown; readonly json: string }
  | { readonly kind: 'impossible'; readonly problem: string };

type Container = Record<string, unknown> | unknown[];

/**
 * Cuts the text that a JSON pointer names, at its end, so that the data as JSON has at most so many estimated tokens. The data is changed
 * in place.
 */
export function truncateMember(data: unknown, pointer: string, maxTokens: number): Truncated {
  const maxCharacters = charactersOfTokens(maxTokens);
  const found = findText(data, pointer);
  if (found === undefined) return { kind: 'impossible', problem: `${pointer} is no text in its data` };
  const { container, key, text } = found;
  const withText = (kept: string): string => {
    (container as Record<string, unknown>)[key] = kept;
    return JSON.stringify(data);
  };
  const room = maxCharacters - withText('').length;
  if (room < 0) {
    return { kind: 'impossible', problem: `its data has more than ${maxTokens} tokens without ${pointer}` };
  }
  const json = withText(longestPrefix(text, room));
  return { kind: 'cut', data, json };
}

function findText(
  data: unknown,
  pointer: string,
): { readonly container: Container; readonly key: string; readonly text: string } | undefined {
  const keys = pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = keys.pop() ?? '';
  let container = data;
  for (const key of keys) container = memberOf(container, key);
  const text = memberOf(container, last);
  return typeof text === 'string' ? { container: container as Container, key: last, text } : undefined;
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

/** The longest beginning that has at most so many characters as JSON, besides its quotes; no character is cut in two. */
function longestPrefix(text: string, maxCharacters: number): string {
  let [fits, tooLong] = [0, text.length + 1];
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (JSON.stringify(text.slice(0, middle)).length - 2 <= maxCharacters) fits = middle;
    else tooLong = middle;
  }
  const kept = text.slice(0, fits);
  return kept.isWellFormed() || !text.isWellFormed() ? kept : kept.slice(0, -1);
}
