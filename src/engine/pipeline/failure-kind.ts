import { AppError } from '../../kernel/app-error.ts';
import { findDegenerateAnswer } from '../degenerate-answer.ts';
import type { ErrorCode } from '../../kernel/error-codes.ts';
import { findParked } from '../parked.ts';

/*
 * What kind of failure an error is: the one place where a code's meaning for a message is decided. The switch knows
 * every code there is, so that a new one cannot be forgotten.
 */

export type FailureKind =
  /** It may pass: tried again, at the cost of an attempt. */
  | 'transient'
  /** A model's answer is of no use: asked again, at the cost of a degenerate attempt. */
  | 'degenerate'
  /** It cannot pass. */
  | 'permanent'
  /** It may not go on now; nobody's fault. */
  | 'parked'
  /** The lease or the host ended: the failure is ours, not the message's. */
  | 'interrupted'
  /** The work is not wanted any more. */
  | 'cancelled';

/** The kind of an error that a run ended with. */
export function failureKind(error: unknown): FailureKind {
  if (findParked(error) !== undefined) return 'parked';
  if (findDegenerateAnswer(error) !== undefined || isUnusableOutput(error)) return 'degenerate';
  if (!(error instanceof AppError)) {
    // A plain throw carries no knowledge of its own: it may have been the weather. A broken invariant will not mend.
    return error instanceof Error && error.name === 'InvariantError' ? 'permanent' : 'transient';
  }
  const kind = kindOfCode(error.code);
  // The thrower may know better than the table whether it passes.
  if (kind === 'transient' || kind === 'permanent') return error.retryable ? 'transient' : 'permanent';
  return kind;
}

function kindOfCode(code: ErrorCode): FailureKind {
  switch (code) {
    case 'MILLRACE_WORK_PARKED':
      return 'parked';
    case 'MILLRACE_ANSWER_DEGENERATE':
      return 'degenerate';
    case 'MILLRACE_MESSAGE_CANCELLED':
      return 'cancelled';
    case 'MILLRACE_LEASE_LOST':
      return 'interrupted';
    case 'MILLRACE_MODEL_RATE_LIMITED':
    case 'MILLRACE_MODEL_OVERLOADED':
    case 'MILLRACE_MODEL_SERVER_ERROR':
    case 'MILLRACE_MODEL_TIMEOUT':
    case 'MILLRACE_MODEL_NETWORK':
    case 'MILLRACE_MODEL_CONFLICT':
    case 'MILLRACE_MODEL_MALFORMED_ANSWER':
    case 'MILLRACE_MODEL_STALLED':
    case 'MILLRACE_MODEL_ABORTED':
    case 'MILLRACE_MODEL_FAILED':
    case 'MILLRACE_DATABASE_UNAVAILABLE':
    case 'MILLRACE_DATABASE_CONFLICT':
    case 'MILLRACE_COLUMN_STORE_UNAVAILABLE':
    case 'MILLRACE_COLUMN_STORE_OUT_OF_MEMORY':
    case 'MILLRACE_QUEUE_UNAVAILABLE':
    case 'MILLRACE_PAYLOAD_UNAVAILABLE':
    case 'MILLRACE_LEDGER_BUSY':
    case 'MILLRACE_ERASURE_BLOCKED':
    case 'MILLRACE_ERASURE_FAILED':
    case 'MILLRACE_BUDGET_EXHAUSTED':
    case 'MILLRACE_STAGE_FAILED':
    case 'MILLRACE_STAGE_TIMEOUT':
      return 'transient';
    case 'MILLRACE_MODEL_BAD_REQUEST':
    case 'MILLRACE_MODEL_CONTENT_POLICY':
    case 'MILLRACE_MODEL_CONTEXT_TOO_LONG':
    case 'MILLRACE_MODEL_AUTHENTICATION':
    case 'MILLRACE_MODEL_NOT_FOUND':
    case 'MILLRACE_MODEL_REDIRECTED':
    case 'MILLRACE_MODEL_ANSWER_TOO_LARGE':
    case 'MILLRACE_MODEL_UNKNOWN':
    case 'MILLRACE_BUDGET_UNPRICED':
    case 'MILLRACE_BUDGET_CALL_TOO_LARGE':
    case 'MILLRACE_MESSAGE_INVALID':
    case 'MILLRACE_MESSAGE_HOPS_EXCEEDED':
    case 'MILLRACE_MESSAGE_TOO_LARGE':
    case 'MILLRACE_MESSAGE_TYPE_UNKNOWN':
    case 'MILLRACE_MESSAGE_VERSION_UNSUPPORTED':
    case 'MILLRACE_ORIGIN_INVALID':
    case 'MILLRACE_PAYLOAD_MISSING':
    case 'MILLRACE_RUNS_LOST':
    case 'MILLRACE_DATABASE_FAILED':
    case 'MILLRACE_DATA_REFUSED':
    case 'MILLRACE_COLUMN_STORE_FAILED':
    case 'MILLRACE_REPORT_TOO_LARGE':
    case 'MILLRACE_EXPORT_INCONSISTENT':
    case 'MILLRACE_INTERNAL':
      return 'permanent';
    // What a stage does not meet unless its handler throws it: nothing that time mends.
    case 'MILLRACE_CLOCK_OFF':
    case 'MILLRACE_CONFIG_INVALID':
    case 'MILLRACE_DATABASE_POOLED':
    case 'MILLRACE_DATA_IN_USE':
    case 'MILLRACE_DATA_NOT_FOUND':
    case 'MILLRACE_DEMO_DOCUMENTS_MISSING':
    case 'MILLRACE_DEMO_FOLDER_UNUSABLE':
    case 'MILLRACE_FORBIDDEN':
    case 'MILLRACE_HTTP_ADDRESS_UNAVAILABLE':
    case 'MILLRACE_MEDIA_TYPE_UNSUPPORTED':
    case 'MILLRACE_MIGRATION_CHANGED':
    case 'MILLRACE_NOT_ACCEPTABLE':
    case 'MILLRACE_NOT_FOUND':
    case 'MILLRACE_PACKAGE_MISSING':
    case 'MILLRACE_PRICE_OVERLAY_INVALID':
    case 'MILLRACE_QUEUE_NOT_BULLMQ':
    case 'MILLRACE_REQUEST_INVALID':
    case 'MILLRACE_REQUEST_TOO_LARGE':
    case 'MILLRACE_REQUEST_TIMEOUT':
    case 'MILLRACE_OVERLOADED':
    case 'MILLRACE_RATE_LIMITED':
    case 'MILLRACE_SCHEMA_OUTDATED':
    case 'MILLRACE_SIMULATOR_BILL_UNREADABLE':
    case 'MILLRACE_SIMULATOR_FAILED':
    case 'MILLRACE_STAGES_UNUSABLE':
    case 'MILLRACE_STARTUP_REFUSED':
    case 'MILLRACE_UNAUTHENTICATED':
    case 'MILLRACE_WAIT_TIMEOUT':
      return 'permanent';
  }
}

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
