import type { DeclaredError, ErrorCodeName } from './declared-errors.ts';
import { type ErrorCode, errorCodes } from './error-codes.ts';
import { boundedFaults, type Fault } from './fault.ts';

export type { Fault } from './fault.ts';

export interface AppErrorOptions {
  readonly cause?: unknown;
  readonly faults?: readonly Fault[];
  /** Overrides the table's answer where the thrower knows better. */
  readonly retryable?: boolean;
  /** When the other side said how long to wait. */
  readonly retryAfterMs?: number;
}

/**
 * An operating failure with a code from the kernel's table, or one that a capability declares: something outside the program
 * went wrong, or a caller gave something that cannot be used. Programmer errors fail an invariant instead.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCodeName;
  readonly retryable: boolean;
  readonly faults: readonly Fault[];
  readonly retryAfterMs: number | undefined;
  readonly #declared: DeclaredError;

  constructor(kind: ErrorCode | DeclaredError, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.#declared = typeof kind === 'string' ? { code: kind, ...errorCodes[kind] } : kind;
    this.code = this.#declared.code;
    this.retryable = options.retryable ?? this.#declared.retryable;
    this.faults = boundedFaults(options.faults ?? []);
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The HTTP status for an API caller. */
  get status(): number {
    return this.#declared.status;
  }

  /** What the reader can do about it. */
  get todo(): string {
    return this.#declared.todo;
  }

  /** What is known of its code, to make another error with it. */
  get declared(): DeclaredError {
    return this.#declared;
  }
}
