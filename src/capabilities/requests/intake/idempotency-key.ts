import { hash } from 'node:crypto';
import { canonicalJson } from '../../../engine/calls/request-digest.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { requestErrors } from '../request-errors.ts';

/*
 * The header Idempotency-Key as draft-ietf-httpapi-idempotency-key-header-07 has it: a text in quotes, with what clients send as well, the bare text.
 * `"a"` and `a` are the same key.
 */

const maxLength = 255;
const printable = /^[\u0020-\u007e]+$/;
/** A text of structured fields (RFC 9651): in quotes, with \" and \\ for the two that need it. */
const quoted = /^"((?:[^"\\]|\\["\\])*)"$/;

/** The key in the header; undefined without one. Throws MILLRACE_IDEMPOTENCY_KEY_INVALID. */
export function readIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const inQuotes = quoted.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1');
  const key = text.startsWith('"') ? inQuotes : text;
  if (key !== undefined && key.length <= maxLength && printable.test(key) && key.trim() !== '') return key;
  throw new AppError(
    requestErrors.MILLRACE_IDEMPOTENCY_KEY_INVALID,
    `Idempotency-Key is a text of 1 to ${maxLength} printable ASCII characters, bare or in quotes.`,
  );
}

/** What tells one wish from another: the same for the same, however its members are ordered. */
export function fingerprintOf(asked: unknown): string {
  return hash('sha256', canonicalJson(asked));
}
