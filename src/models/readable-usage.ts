import { asRecord, numberOf } from './token-usage.ts';

/*
 * Some gateways write counts of tokens as text ("prompt_tokens": "120"). The SDK refuses such an answer whole, though it
 * is paid for. Here the counts become numbers before the SDK reads them; whatever else is in the answer stays as it is,
 * and an answer without such counts goes through untouched.
 */

/** A count as text, anywhere; what it belongs to is looked at after parsing. */
const textCount = /"[a-z0-9_]*tokens[a-z0-9_]*"\s*:\s*"/i;
const dataLines = /^(data: ?)([^\r\n]*)/gm;

/** The fetch with counts of tokens as numbers in successful answers. */
export function readableUsage(inner: typeof fetch): typeof fetch {
  return async (input, init) => {
    const response = await inner(input, init);
    const { body, status, statusText, headers } = response;
    if (body === null || status >= 300) return response;
    const isStream = (headers.get('content-type') ?? '').startsWith('text/event-stream');
    const kept = { status, statusText, headers: withoutLength(headers) };
    return new Response(
      body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(isStream ? eachLine() : wholeText())
        .pipeThrough(new TextEncoderStream()),
      kept,
    );
  };
}

function eachLine(): TransformStream<string, string> {
  let open = '';
  return new TransformStream({
    transform(text, controller) {
      const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r'));
      if (end < 0) {
        open += text;
        return;
      }
      const lines = open + text.slice(0, end + 1);
      open = text.slice(end + 1);
      controller.enqueue(linesWithNumbers(lines));
    },
    flush(controller) {
      if (open !== '') controller.enqueue(linesWithNumbers(open));
    },
  });
}

function wholeText(): TransformStream<string, string> {
  const pieces: string[] = [];
  return new TransformStream({
    transform(text) {
      pieces.push(text);
    },
    flush(controller) {
      controller.enqueue(jsonWithNumbers(pieces.join('')));
    },
  });
}

function linesWithNumbers(lines: string): string {
  if (!textCount.test(lines)) return lines;
  return lines.replaceAll(dataLines, (_line, head: string, data: string) => head + jsonWithNumbers(data));
}

function jsonWithNumbers(text: string): string {
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

/** The body's length may change. */
function withoutLength(headers: Headers): Headers {
  const rest = new Headers(headers);
  rest.delete('content-length');
  return rest;
}
