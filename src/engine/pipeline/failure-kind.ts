import { AppError } from '../../kernel/app-error.ts';
import { findInvalidOutput } from '../invalid-output.ts';
import type { ErrorCode } from '../../kernel/error-codes.ts';
import { findParked } from '../parked.ts';

/*
 * What kind of failure an error is: the one place where a code's meaning for a message is decided. Every code says whether
 * it may be retried; the few that mean more stand here.
 */

export type FailureClass =
  /** It may pass: tried again, at the cost of an attempt. */
  | 'transient'
  /** A model's answer is of no use: asked again, at the cost of an invalid output attempt. */
  | 'invalid_output'
  /** It cannot pass. */
  | 'permanent'
  /** It may not go on now; nobody's fault. */
  | 'parked'
  /** The lease or the host ended: the failure is ours, not the message's. */
  | 'interrupted'
  /** The work is not wanted any more. */
  | 'cancelled';

/** The kind of an error that a run ended with. */
export function failureKind(error: unknown): FailureClass {
  if (findParked(error) !== undefined) return 'parked';
  if (findInvalidOutput(error) !== undefined || isUnusableOutput(error)) return 'invalid_output';
  if (!(error instanceof AppError)) {
    // A plain throw carries no knowledge of its own: it may be temporary. A broken invariant will not go away.
    return error instanceof Error && error.name === 'InvariantError' ? 'permanent' : 'transient';
  }
  // The thrower may know better than the table whether it passes.
  return kindsOfCodes[error.code] ?? (error.retryable ? 'transient' : 'permanent');
}

/** The codes that mean something else for a message than that it is tried again or given up. */
const kindsOfCodes: Readonly<Partial<Record<string, FailureClass>>> = {
  MILLRACE_WORK_PARKED: 'parked',
  MILLRACE_OUTPUT_INVALID: 'invalid_output',
  MILLRACE_MESSAGE_CANCELLED: 'cancelled',
  MILLRACE_LEASE_EXPIRED: 'interrupted',
} satisfies Partial<Record<ErrorCode, FailureClass>>;

/** What the AI SDK throws in a handler when it cannot make what was asked for of the model's text. */
const unusableOutputNames = new Set([
  'AI_NoObjectGeneratedError',
  'AI_NoOutputGeneratedError',
  'AI_TypeValidationError',
  'AI_JSONParseError',
  'AI_InvalidToolInputError',
  'AI_NoSuchToolError',
]);

/** Whether the AI SDK could not use a whole answer; with an AppError behind it, that one says what happened. */
function isUnusableOutput(error: unknown): boolean {
  let isNamed = false;
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if (current instanceof AppError) return false;
    isNamed ||= unusableOutputNames.has(current.name);
    current = current.cause;
  }
  return isNamed;
}

/** The text of the answer that the AI SDK complains about, when it says so. */
export function quotedAnswer(error: unknown): string | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if ('text' in current && typeof current.text === 'string') return current.text;
    current = current.cause;
  }
  return undefined;
}
