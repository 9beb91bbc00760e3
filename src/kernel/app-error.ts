import { type ErrorCode, errorCodes } from './error-codes.ts';

/** A structured fault inside a larger error: which field, and what is wrong with it. */
export interface Fault {
  readonly field: string;
  readonly problem: string;
}

export interface AppErrorOptions {
  readonly cause?: unknown;
  readonly faults?: readonly Fault[];
  /** Overrides the table's answer where the thrower knows better. */
  readonly retryable?: boolean;
  /** When the other side said how long to wait. */
  readonly retryAfterMs?: number;
}

/**
 * An operating failure with a code from the one table: something outside the program went wrong,
 * or a caller gave something that cannot be used. Programmer errors fail an invariant instead.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly faults: readonly Fault[];
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? errorCodes[code].retryable;
    this.faults = options.faults ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The HTTP status for an API caller. */
  get status(): number {
    return errorCodes[this.code].status;
  }

  /** What the reader can do about it. */
  get todo(): string {
    return errorCodes[this.code].todo;
  }
}
