import { AppError } from '../kernel/app-error.ts';
import { removeSecrets } from './known-secrets.ts';

/*
 * What may not be in a log line is taken out here, at the last step before it is written: values under names
 * of secrets, secrets inside texts (passwords in addresses, bearer tokens, API keys), and payloads. Depth,
 * length and number are bounded, so that a large or circular value costs little. Errors become plain fields.
 */

const hidden = '[redacted]';
const payload = '[payload]';
const maxDepth = 6;
const maxItems = 50;
const maxTextLength = 8192;

// Tested against the name in lower case without "-" and "_".
const secretName =
  /(?:password|passwd|passphrase|secret|apikey|accesskey|secretkey|privatekey|authorization|credentials?|cookie|(?:access|refresh|session|bearer|auth|id|api)token|^token)$/;
const payloadNames = new Set([
  'data',
  'body',
  'payload',
  'prompt',
  'messages',
  'completion',
  'answer',
  'content',
]);

const secretsInText: readonly (readonly [RegExp, string])[] = [
  // The password of an address: scheme://user:password@host, also when it holds an unescaped "@".
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/]*@/gi, `$1:${hidden}@`],
  [/\b(bearer|basic)\s+[a-z0-9+/=._~-]{8,}/gi, `$1 ${hidden}`],
  [/\b(?:sk|pk|rk)-[a-z0-9_-]{12,}/gi, hidden],
  [/\bmr_[0-9A-Za-z]{20,}/g, hidden],
  [/\b(password|passwd|pwd|secret|api[_-]?key|access[_-]?token)(=|:\s?)[^\s&;,"']+/gi, `$1$2${hidden}`],
];

/** The text without secrets, cut to a bounded length. */
export function redactText(text: string): string {
  // Known secrets go first: cut in half they would not be found.
  const known = removeSecrets(text);
  let clean =
    known.length > maxTextLength ? `${known.slice(0, maxTextLength)}… (${text.length} characters)` : known;
  for (const [pattern, replacement] of secretsInText) clean = clean.replace(pattern, replacement);
  return clean;
}

/** The fields of a log line without secrets and payloads. */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, 0);
}

function redactObject(object: object, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  let count = 0;
  for (const [name, value] of Object.entries(object)) {
    if (++count > maxItems) {
      clean['…'] = 'more fields left out';
      break;
    }
    clean[name] = redactNamed(name, value, depth);
  }
  return clean;
}

function redactNamed(name: string, value: unknown, depth: number): unknown {
  const isSimple =
    value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number';
  if (isSimple) return value;
  const bareName = name.toLowerCase().replaceAll(/[-_]/g, '');
  if (secretName.test(bareName)) return hidden;
  if (payloadNames.has(bareName)) return payload;
  return redactValue(value, depth + 1);
}

function redactValue(value: unknown, depth: number): unknown {
  try {
    return redactReadable(value, depth);
  } catch {
    // A getter, a Proxy or a toJSON that throws: the rest of the line is worth having.
    return '[unreadable]';
  }
}

function redactReadable(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' || typeof value === 'symbol' ? undefined : value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value;
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (depth > maxDepth) return '[too deep]';
  if (Array.isArray(value)) {
    const items = value.slice(0, maxItems).map((item) => redactValue(item, depth + 1));
    return value.length > maxItems ? [...items, `… ${value.length - maxItems} more`] : items;
  }
  if (hasJsonForm(value)) return redactValue(value.toJSON(), depth + 1);
  return redactObject(value, depth);
}

/** An error as fields: its code and advice when it has them, its message, stack and causes. */
function describeError(error: Error, depth: number): Record<string, unknown> {
  return {
    name: error.name,
    message: redactText(error.message),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(error instanceof AppError ? { retryable: error.retryable, todo: error.todo } : {}),
    ...(error instanceof AppError && error.faults.length > 0
      ? { faults: error.faults.slice(0, maxItems).map((fault) => redactObject(fault, depth + 1)) }
      : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined || depth > maxDepth ? {} : { cause: redactValue(error.cause, depth + 1) }),
  };
}

function hasJsonForm(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
