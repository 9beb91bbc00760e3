import { createHash, hash } from 'node:crypto';
import type { EmbeddingModelV4CallOptions, LanguageModelV4CallOptions } from '@ai-sdk/provider';

/*
 * What was asked, as one digest: SHA-256 over canonical JSON (keys sorted, absent left out) of everything that the
 * answer can depend on. Signals, headers and whether the answer is streamed are not part of the question.
 */

/** The digest of a question to a language model: 64 hex digits. */
export function languageDigest(reference: string, options: LanguageModelV4CallOptions): string {
  const { abortSignal: _signal, headers: _headers, includeRawChunks: _raw, ...question } = options;
  return hash('sha256', canonicalJson({ model: reference, operation: 'chat', ...question }));
}

/** The digest of a question to an embedding model: 64 hex digits. */
export function embeddingDigest(reference: string, options: EmbeddingModelV4CallOptions): string {
  const { abortSignal: _signal, headers: _headers, ...question } = options;
  return hash('sha256', canonicalJson({ model: reference, operation: 'embeddings', ...question }));
}

/** The digest of everything that is sent: the question, by its digest, and the headers that its caller gave it. */
export function requestFingerprint(
  digest: string,
  headers: Readonly<Record<string, string | undefined>> | undefined,
): string {
  const named = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  return hash('sha256', canonicalJson([digest, Object.fromEntries(named)]));
}

/**
 * JSON with sorted keys, so that equal values are equal text. Bytes stand by their digest, addresses and times by
 * their text; what JSON has no word for (functions, symbols) is left out as JSON leaves it out.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `{"$bigint":"${value}"}`;
  if (typeof value !== 'object' || value === null) return scalarJson(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  if (value instanceof Uint8Array) return `{"$bytes":"${createHash('sha256').update(value).digest('hex')}"}`;
  if (value instanceof URL) return JSON.stringify(value.href);
  if (value instanceof RegExp) return JSON.stringify(String(value));
  if (hasToJson(value)) return canonicalJson(value.toJSON());
  return objectJson(value as Readonly<Record<string, unknown>>);
}

function scalarJson(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : 'null';
}

function objectJson(value: Readonly<Record<string, unknown>>): string {
  let text = '';
  for (const key of Object.keys(value).toSorted()) {
    const item = value[key];
    if (item === undefined || typeof item === 'function' || typeof item === 'symbol') continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(item)}`;
  }
  return `{${text}}`;
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
