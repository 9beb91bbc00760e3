import type { ErrorCode } from '../../../kernel/error-codes.ts';

/*
 * Which failures concern more than the item that met them. What an item did to itself (bad input, a refusal, a bug of the handler)
 * will be so again. What happened to it (a rate limit, an outage, a key that ran out) passes, or is repaired: its whole chunk is then
 * begun again later. What the stores do to it stops everything.
 */

/** An item died of it, after all attempts of its stage. */
const passing = new Set<string>([
  'MILLRACE_MODEL_RATE_LIMITED',
  'MILLRACE_MODEL_OVERLOADED',
  'MILLRACE_MODEL_SERVER_ERROR',
  'MILLRACE_MODEL_TIMEOUT',
  'MILLRACE_MODEL_NETWORK',
  'MILLRACE_MODEL_STALLED',
  'MILLRACE_MODEL_ABORTED',
  // A key that ran out, or has no money left, is renewed.
  'MILLRACE_MODEL_AUTHENTICATION',
  'MILLRACE_STAGE_TIMEOUT',
  'MILLRACE_MESSAGE_STALLED',
  'MILLRACE_LEASE_EXPIRED',
  'MILLRACE_LEDGER_BUSY',
  'MILLRACE_DATABASE_UNAVAILABLE',
  'MILLRACE_DATABASE_CONFLICT',
  'MILLRACE_DATABASE_FAILED',
  'MILLRACE_PAYLOAD_UNAVAILABLE',
] satisfies readonly ErrorCode[]);

/** Whether what an item died of may be over when its chunk is begun again. */
export function isPassing(code: string): boolean {
  return passing.has(code);
}

/** A store cannot take what is admitted. */
const ofStores = new Set<string>([
  'MILLRACE_LEDGER_BUSY',
  'MILLRACE_DATABASE_UNAVAILABLE',
  'MILLRACE_DATABASE_CONFLICT',
  'MILLRACE_DATABASE_FAILED',
  'MILLRACE_PAYLOAD_UNAVAILABLE',
] satisfies readonly ErrorCode[]);

/** What the refusal of an item's message means. */
export type RefusalKind =
  /** The item fails. */
  | 'item'
  /** Nothing may be admitted for now, as long as it takes: the chunk waits. */
  | 'wait'
  /** A store fails: the chunk waits, and if that does not help, the batch halts. */
  | 'store';

export function refusalKind({
  code,
  retryable,
}: {
  readonly code: string;
  readonly retryable: boolean;
}): RefusalKind {
  if (ofStores.has(code)) return 'store';
  return retryable ? 'wait' : 'item';
}
