import { AppError } from '../kernel/app-error.ts';

/** What is wrong with an answer that came whole and was paid for. */
export type Degeneracy = 'empty' | 'truncated' | 'invalid';

export interface DegenerateAnswerOptions {
  /** What is wrong with it. Default "invalid": it fails the stage's own check. */
  readonly degeneracy?: Degeneracy;
  /** The step whose latest answer it is. Default: the latest answer of the run. */
  readonly step?: string;
  /** The answer is marked in the ledger already. Set by the metered model only. */
  readonly isMarked?: boolean;
  readonly cause?: unknown;
}

/**
 * A model's answer is of no use: empty, cut off, or not what the stage needs. Thrown by the metered model and by
 * handlers (`ctx.reject`). The answer is paid for and counts as waste; it is never given again, and the attempt counts
 * against the stage's `degenerate` attempts instead of its `retry` attempts.
 */
export class DegenerateAnswer extends AppError {
  readonly degeneracy: Degeneracy;
  readonly step: string | undefined;
  readonly isMarked: boolean;

  constructor(reason: string, options: DegenerateAnswerOptions = {}) {
    super('MILLRACE_ANSWER_DEGENERATE', reason, { cause: options.cause });
    this.degeneracy = options.degeneracy ?? 'invalid';
    this.step = options.step;
    this.isMarked = options.isMarked ?? false;
  }
}

/** The degenerate answer in an error or in what it was caused by: handlers wrap what they catch. */
export function findDegenerateAnswer(error: unknown): DegenerateAnswer | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if (current instanceof DegenerateAnswer) return current;
    current = current.cause;
  }
  return undefined;
}
