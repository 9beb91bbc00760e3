import { asRecord, numberOf } from './token-usage.ts';

/*
 * Some gateways write counts of tokens as text ("prompt_tokens": "120"). The SDK refuses such an answer whole, though it
 * is paid for. Here the counts become numbers before the SDK reads them; whatever else is in the answer stays as it is,
 * and an answer without such counts goes through untouched.
 */

/** A count as text, anywhere; what it belongs to is looked at after parsing. */
const textCount = /"[a-z0-9_]*tokens[a-z0-9_]*"\s*:\s*"/i;
const dataLines = /^(data: ?)([^\r\n]*)/gm;

/** Whole lines of an event stream with counts of tokens as numbers. */
export function linesWithNumbers(lines: string): string {
  if (!textCount.test(lines)) return lines;
  return lines.replaceAll(dataLines, (_line, head: string, data: string) => head + jsonWithNumbers(data));
}

/** A whole answer with counts of tokens as numbers. */
export function jsonWithNumbers(text: string): string {
  if (!textCount.test(text)) return text;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    // Not JSON: whoever reads it will say so.
    return text;
  }
  const answer = asRecord(read);
  if (answer === undefined) return text;
  const changed = { ...answer, ...withUsage(answer) };
  for (const name of ['response', 'message']) {
    const inner = asRecord(answer[name]);
    if (inner !== undefined) changed[name] = { ...inner, ...withUsage(inner) };
  }
  return JSON.stringify(changed);
}

function withUsage(holder: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return 'usage' in holder ? { usage: withNumbers(holder['usage'], 0) } : {};
}

const maxDepth = 4;

function withNumbers(value: unknown, depth: number, name = ''): unknown {
  if (typeof value === 'string') return name.includes('tokens') ? (numberOf(value) ?? value) : value;
  if (depth > maxDepth) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => withNumbers(item, depth + 1));
  const record = asRecord(value);
  if (record === undefined) return value;
  return Object.fromEntries(
    Object.entries(record).map(([key, item]) => [key, withNumbers(item, depth + 1, key)]),
  );
}
