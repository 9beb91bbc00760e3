import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

/*
 * Secrets of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64, which both sides know (HMAC-SHA256, `v1`); `whsk_` and the 64 bytes of an
 * ed25519 key, its seed and its public half, of which the receiver has only `whpk_` and the latter (`v1a`).
 */

/** How requests are signed. */
export const signingSchemes = ['v1', 'v1a'] as const;
export type SigningScheme = (typeof signingSchemes)[number];

/** What signs the requests of an endpoint. */
export type SigningKey =
  { readonly scheme: 'v1'; readonly bytes: Buffer } | { readonly scheme: 'v1a'; readonly key: KeyObject };

export const [minSecretBytes, maxSecretBytes] = [24, 64];
const newSecretBytes = 32;
const [seedBytes, publicBytes] = [32, 32];
/** What stands before the seed in PKCS #8. */
const pkcs8Header = Buffer.from('302e020100300506032b657004220420', 'hex');
const prefixes = { secret: 'whsec_', privateKey: 'whsk_', publicKey: 'whpk_' } as const;

/** The bytes of a shared secret; undefined where it is none. */
export function secretBytes(text: string): Buffer | undefined {
  const bytes = bytesOf(text, prefixes.secret);
  return bytes !== undefined && bytes.length >= minSecretBytes && bytes.length <= maxSecretBytes
    ? bytes
    : undefined;
}

/** A new secret, as the ledger keeps it. */
export function newSecret(scheme: SigningScheme): string {
  if (scheme === 'v1') return `${prefixes.secret}${randomBytes(newSecretBytes).toString('base64')}`;
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const key = Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]);
  return `${prefixes.privateKey}${key.toString('base64')}`;
}

/** What signs with a secret of the ledger; undefined where it is none. */
export function signingKeyOf(text: string): SigningKey | undefined {
  const bytes = secretBytes(text);
  if (bytes !== undefined) return { scheme: 'v1', bytes };
  const pair = bytesOf(text, prefixes.privateKey);
  if (pair?.length !== seedBytes + publicBytes) return undefined;
  const der = Buffer.concat([pkcs8Header, pair.subarray(0, seedBytes)]);
  return { scheme: 'v1a', key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
}

/** What its receiver verifies with: the secret itself, or the public key of a private one. */
export function verificationKeyOf(text: string): string {
  const pair = bytesOf(text, prefixes.privateKey);
  return pair === undefined ? text : `${prefixes.publicKey}${pair.subarray(seedBytes).toString('base64')}`;
}

function bytesOf(text: string, prefix: string): Buffer | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const encoded = text.slice(prefix.length);
  const bytes = Buffer.from(encoded, 'base64');
  const isWhole = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return isWhole ? bytes : undefined;
}
