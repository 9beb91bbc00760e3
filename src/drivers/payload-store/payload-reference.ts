import { createHash } from 'node:crypto';
import { AppError } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { PayloadReference } from './payload-store.ts';

/** What a reference says about its bytes. */
interface ParsedReference {
  readonly digest: string;
  readonly sizeBytes: number;
  /** Where the bytes lie in any store: two levels of 256 directories each, so that none grows too large. */
  readonly path: string;
}

const pattern = /^sha256\/(?<digest>[0-9a-f]{64})\/(?<size>\d{1,15})$/;

export function referenceOf(bytes: Uint8Array): PayloadReference {
  return `sha256/${digestOf(bytes)}/${bytes.byteLength}`;
}

export function parseReference(reference: PayloadReference): ParsedReference {
  const { digest, size } = pattern.exec(reference)?.groups ?? {};
  invariant(digest !== undefined && size !== undefined, `"${reference}" is a payload reference`);
  return {
    digest,
    sizeBytes: Number(size),
    path: `sha256/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`,
  };
}

/** Fails with MILLRACE_PAYLOAD_MISSING unless the bytes are those that the reference names. */
export function checkPayload(reference: PayloadReference, bytes: Uint8Array): void {
  const { digest, sizeBytes } = parseReference(reference);
  if (bytes.byteLength === sizeBytes && digestOf(bytes) === digest) return;
  throw new AppError(
    'MILLRACE_PAYLOAD_MISSING',
    `The bytes stored as ${reference} are not the bytes that were put there.`,
  );
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
