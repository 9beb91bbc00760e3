import type { ErrorCode } from '../kernel/error-codes.ts';

/*
 * Which failures of a message would not be so again. What it did to itself (bad input, a refusal, a bug of the handler) will be; what
 * happened to it (a rate limit, an outage, a key that ran out) passes, or is repaired.
 */

/** A message died of it, after all attempts of its stage. */
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

/** Whether what a message died of may be over when the same is tried later. */
export function isPassing(code: string): boolean {
  return passing.has(code);
}
