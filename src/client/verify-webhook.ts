import { machineClock } from './client-clock.ts';
import { MillraceClientError } from './client-error.ts';

/*
 * Webhooks as Standard Webhooks (standardwebhooks.com) has them: the text `id.timestamp.body` is signed, with HMAC-SHA256 (`v1`) or Ed25519 (`v1a`).
 * While a secret is changed, a webhook carries the signatures of both.
 */

/** Headers as they come: of the Fetch API, or of Node's requests. */
export type WebhookHeaders =
  { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyWebhookOptions {
  /** How far the time of the attempt may be from now, either way. Default 5 minutes. */
  readonly toleranceMs?: number;
  /** Milliseconds since 1970. Default the machine's time. */
  readonly nowMs?: number;
}

/** A webhook that is what Millrace sent. */
export interface VerifiedWebhook<Data = unknown> {
  /** The same for every attempt to deliver it: what was done once for an id need not be done again. */
  readonly id: string;
  /** When this attempt was made. */
  readonly attemptedAt: Date;
  /** Such as `request.completed`. */
  readonly type: string;
  /** When it happened. */
  readonly timestamp: string;
  readonly data: Data;
}

const defaultToleranceMs = 300_000;
const maxSignatures = 20;
const encoder = new TextEncoder();

/**
 * Checks that a webhook was signed with one of the secrets, of late, and answers what it says. `rawBody` is the body as it came: parsed and written again
 * it is another. A secret is `whsec_…` as Millrace showed it (or its base64 alone), or `whpk_…` for Ed25519.
 * Throws MillraceClientError CLIENT_WEBHOOK_INVALID.
 */
export async function verifyWebhook<Data = unknown>(
  headers: WebhookHeaders,
  rawBody: string | Uint8Array | ArrayBuffer,
  secrets: string | readonly string[],
  { toleranceMs = defaultToleranceMs, nowMs = machineClock.nowMs() }: VerifyWebhookOptions = {},
): Promise<VerifiedWebhook<Data>> {
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp');
  const signatures = headerOf(headers, 'webhook-signature').split(' ').slice(0, maxSignatures);
  if (!/^\d{1,12}$/.test(timestamp)) throw invalid('its timestamp is no number of seconds');
  const attemptedMs = Number(timestamp) * 1000;
  if (Math.abs(nowMs - attemptedMs) > toleranceMs)
    throw invalid('its timestamp is too old, or in the future');
  const body = bytesOf(rawBody);
  const signed = joined(encoder.encode(`${id}.${timestamp}.`), body);
  const keys = await Promise.all((typeof secrets === 'string' ? [secrets] : secrets).map(importSecret));
  if (!(await isSigned(signed, signatures, keys))) throw invalid('none of its signatures fits a secret');
  const { data, ...content } = contentOf(body);
  // The caller says what the data is.
  return { id, attemptedAt: new Date(attemptedMs), ...content, data: data as Data };
}

interface SecretKey {
  readonly key: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
  readonly algorithm: 'HMAC' | 'Ed25519';
  /** Of the signatures that it makes. */
  readonly version: 'v1' | 'v1a';
}

async function importSecret(secret: string): Promise<SecretKey> {
  const isPublicKey = secret.startsWith('whpk_');
  const bytes = base64Bytes(secret.replace(/^wh(?:sec|pk)_/, ''));
  if (bytes === undefined || bytes.length === 0)
    throw new MillraceClientError(
      'CLIENT_OPTION_INVALID',
      'A secret of webhooks is whsec_ or whpk_ and base64.',
    );
  const algorithm = isPublicKey ? 'Ed25519' : 'HMAC';
  const parameters = isPublicKey ? { name: algorithm } : { name: algorithm, hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes, parameters, false, ['verify']);
  return { key, algorithm, version: isPublicKey ? 'v1a' : 'v1' };
}

/** Whether one of the signatures is by one of the keys. Web Crypto compares in constant time. */
async function isSigned(
  signed: Uint8Array<ArrayBuffer>,
  signatures: readonly string[],
  keys: readonly SecretKey[],
): Promise<boolean> {
  for (const one of signatures) {
    const [version, text = ''] = one.split(',', 2);
    const signature = base64Bytes(text);
    if (signature === undefined) continue;
    for (const { key, algorithm, version: made } of keys) {
      if (made === version && (await crypto.subtle.verify(algorithm, key, signature, signed))) return true;
    }
  }
  return false;
}

function contentOf(body: Uint8Array): { type: string; timestamp: string; data: unknown } {
  let read: { readonly type?: unknown; readonly timestamp?: unknown; readonly data?: unknown } | null;
  try {
    read = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as typeof read;
  } catch (cause) {
    throw invalid('its body is no JSON', cause);
  }
  if (typeof read?.type !== 'string' || typeof read.timestamp !== 'string')
    throw invalid('its body has no type or no timestamp');
  return { type: read.type, timestamp: read.timestamp, data: read.data };
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value = isFetchHeaders(headers)
    ? headers.get(name)
    : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`it has no single header ${name}`);
}

function isFetchHeaders(headers: WebhookHeaders): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function';
}

function bytesOf(body: string | Uint8Array | ArrayBuffer): Uint8Array {
  if (typeof body === 'string') return encoder.encode(body);
  return body instanceof Uint8Array ? body : new Uint8Array(body);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function base64Bytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    // Not base64: no signature, no secret.
    return undefined;
  }
}

function invalid(why: string, cause?: unknown): MillraceClientError {
  return new MillraceClientError('CLIENT_WEBHOOK_INVALID', `The webhook is not accepted: ${why}.`, { cause });
}
