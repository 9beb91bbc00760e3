import { createHash, timingSafeEqual } from 'node:crypto';

/*
 * What a key is: 256 random bits, shown once. Only its SHA-256 is kept, which needs neither salt nor slow hashing, because the key
 * cannot be guessed.
 */

const secretLength = 43;
const keyPattern = /^mr_[0-9A-Za-z]{43}$/;
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Whether the text has the form of a key. */
export function isKey(text: string): boolean {
  return keyPattern.test(text);
}

/** A new key. Letters and digits, each as likely as any other: bytes past the last whole multiple of 62 are thrown away. */
export function newKey(random: (bytes: number) => Uint8Array): string {
  const fair = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < secretLength) {
    for (const byte of random(secretLength)) {
      if (byte < fair && text.length < secretLength) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return `mr_${text}`;
}

/** The SHA-256 of a key in hexadecimal, as the ledger keeps it. */
export function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** Whether two digests are the same, in a time that does not depend on where they differ. */
export function isSameDigest(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one, 'hex'), Buffer.from(other, 'hex')];
  return left.length === right.length && timingSafeEqual(left, right);
}
