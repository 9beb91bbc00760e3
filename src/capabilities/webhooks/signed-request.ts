import { createHmac, sign } from 'node:crypto';
import type { SigningKey } from './webhook-secret.ts';

/** A request of Standard Webhooks: the body, and what signs it. */
export interface SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The request that tells something. The same id and body at every attempt; the time is the attempt's. Every key signs: the receiver finds the
 * one that it has.
 */
export function signedRequest(
  { id, body }: { readonly id: string; readonly body: string },
  keys: readonly SigningKey[],
  now: Date,
): SignedRequest {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const text = `${id}.${timestamp}.${body}`;
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'millrace',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': keys.map((key) => signatureOf(text, key)).join(' '),
    },
  };
}

function signatureOf(text: string, key: SigningKey): string {
  const signature =
    key.scheme === 'v1'
      ? createHmac('sha256', key.bytes).update(text).digest()
      : sign(undefined, Buffer.from(text), key.key);
  return `${key.scheme},${signature.toString('base64')}`;
}
