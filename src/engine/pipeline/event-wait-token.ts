import { randomBytes } from 'node:crypto';

/* What the token of a wait is: 256 random bits. */

const pattern = /^mw_[0-9A-Za-z_-]{43}$/;

/** Whether the text has the form of a token. */
export function isEventToken(text: string): boolean {
  return pattern.test(text);
}

export function newEventToken(): string {
  return `mw_${randomBytes(32).toString('base64url')}`;
}
