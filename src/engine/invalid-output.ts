import { AppError } from '../kernel/app-error.ts';

/** What is wrong with an answer that came whole and was paid for. */
export type OutputFault = 'empty' | 'truncated' | 'invalid';

export interface InvalidOutputOptions {
  /** What is wrong with it. Default "invalid": it fails the stage's own check. */
  readonly outputFault?: OutputFault;
  /** The step whose latest answer it is. Default: the latest answer of the run. */
  readonly step?: string;
  /** The answer is marked in the ledger already. Set by the metered model only. */
  readonly isMarked?: boolean;
  readonly cause?: unknown;
}

/**
 * A model's answer is of no use: empty, cut off, or not what the stage needs. Thrown by the metered model and by
 * handlers (`ctx.reject`). The answer is paid for and counts as waste; it is never given again, and the attempt counts
 * against the stage's `invalidOutput` attempts instead of its `retry` attempts.
 */
export class InvalidOutput extends AppError {
  readonly outputFault: OutputFault;
  readonly step: string | undefined;
  readonly isMarked: boolean;

  constructor(reason: string, options: InvalidOutputOptions = {}) {
    super('MILLRACE_OUTPUT_INVALID', reason, { cause: options.cause });
    this.outputFault = options.outputFault ?? 'invalid';
    this.step = options.step;
    this.isMarked = options.isMarked ?? false;
  }
}

/** The invalid output in an error or in what it was caused by: handlers wrap what they catch. */
export function findInvalidOutput(error: unknown): InvalidOutput | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if (current instanceof InvalidOutput) return current;
    current = current.cause;
  }
  return undefined;
}
