import { AppError } from '../kernel/app-error.ts';

/** Why the engine itself puts work aside though nothing failed; capabilities declare further reasons. */
export const parkReasons = ['pause', 'version'] as const;

export interface ParkedOptions {
  /** One of the declared reasons. */
  readonly reason: string;
  /** What is short or away, for people: "provider/model", a message type. */
  readonly about?: string;
  /** When it is worth another try; absent when only `parkedFor` can end the wait. */
  readonly delayMs?: number;
  /** What must be lifted first: its kind and its name, such as "pause:<id>". The message then waits until it is released by that name. */
  readonly parkedFor?: string;
  /** A model that may be asked instead, "provider/model": the work waits only where that one may not be asked, either. */
  readonly switchTo?: string;
}

/**
 * The work may not go on now, through no fault of its own: a pause, a limit, a quota. The message is put aside, no
 * attempt is counted, and what its steps have paid for is reused when it comes back.
 */
export class Parked extends AppError {
  readonly reason: string;
  readonly about: string | undefined;
  readonly delayMs: number | undefined;
  readonly parkedFor: string | undefined;
  readonly switchTo: string | undefined;

  constructor(message: string, { reason, about, delayMs, parkedFor, switchTo }: ParkedOptions) {
    super('MILLRACE_WORK_PARKED', message, { retryable: true });
    this.reason = reason;
    this.about = about;
    this.delayMs = delayMs;
    this.parkedFor = parkedFor;
    this.switchTo = switchTo;
  }
}

/** The park in an error or in what it was caused by: handlers wrap what they catch. */
export function findParked(error: unknown): Parked | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if (current instanceof Parked) return current;
    current = current.cause;
  }
  return undefined;
}
