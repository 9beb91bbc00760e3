import { AppError } from '../../kernel/app-error.ts';
import type { ErrorCode } from '../../kernel/error-codes.ts';
import type { GivenUp } from './failure-policy.ts';

/* The closed label values of the metrics about failures, from the codes of errors. */

export type RetryReason =
  | 'rate_limited'
  | 'timeout'
  | 'provider_error'
  | 'network'
  | 'store_unavailable'
  | 'lease_expired'
  | 'invalid_output'
  | 'error';

export type DeadLetterReason =
  GivenUp | 'message_invalid' | 'message_unsupported' | 'payload_missing' | 'stalled' | 'wait_expired';

const retryReasons: Readonly<Partial<Record<string, RetryReason>>> = {
  MILLRACE_MODEL_RATE_LIMITED: 'rate_limited',
  MILLRACE_MODEL_TIMEOUT: 'timeout',
  MILLRACE_STAGE_TIMEOUT: 'timeout',
  MILLRACE_MODEL_OVERLOADED: 'provider_error',
  MILLRACE_MODEL_SERVER_ERROR: 'provider_error',
  MILLRACE_MODEL_MALFORMED_ANSWER: 'provider_error',
  MILLRACE_MODEL_NETWORK: 'network',
  MILLRACE_DATABASE_UNAVAILABLE: 'store_unavailable',
  MILLRACE_PAYLOAD_UNAVAILABLE: 'store_unavailable',
  MILLRACE_LEDGER_BUSY: 'store_unavailable',
  MILLRACE_LEASE_EXPIRED: 'lease_expired',
} satisfies Partial<Record<ErrorCode, RetryReason>>;

const deadLetterReasons: Readonly<Partial<Record<string, DeadLetterReason>>> = {
  MILLRACE_MESSAGE_INVALID: 'message_invalid',
  MILLRACE_MESSAGE_VERSION_UNSUPPORTED: 'message_unsupported',
  MILLRACE_PAYLOAD_MISSING: 'payload_missing',
  MILLRACE_MESSAGE_STALLED: 'stalled',
  MILLRACE_WAIT_EXPIRED: 'wait_expired',
} satisfies Partial<Record<ErrorCode, DeadLetterReason>>;

/** Why an attempt is made again, as the metric names it. */
export function retryReason(error: unknown, isInvalidOutput = false): RetryReason {
  if (isInvalidOutput) return 'invalid_output';
  return (error instanceof AppError ? retryReasons[error.code] : undefined) ?? 'error';
}

/** Why a message was given up, as the metric names it. */
export function deadLetterReason(error: unknown, why: GivenUp): DeadLetterReason {
  return (error instanceof AppError ? deadLetterReasons[error.code] : undefined) ?? why;
}
