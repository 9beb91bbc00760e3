import { InvalidArgumentError } from 'commander';

/* Options that several commands about batches have. */

const durationPattern = /^(\d{1,6})(m|h|d)$/;
const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const momentPattern = /^\d{4}-\d\d-\d\dT/;

/** Reads a deadline: a time from now on ("6h"), a moment, or "none". */
export function deadlineOption(text: string): string {
  if (text === 'none' || durationPattern.test(text) || momentPattern.test(text)) return text;
  throw new InvalidArgumentError(
    'It is a time from now on, as in 30m, 6h or 2d, or a moment, as in 2026-03-01T12:00:00Z.',
  );
}

/** The time from now on that such a deadline is; undefined for any other. */
export function deadlineMsOf(text: string | undefined): number | undefined {
  const [, count, unit] = durationPattern.exec(text ?? '') ?? [];
  return count === undefined || unit === undefined
    ? undefined
    : Number(count) * unitMs[unit as keyof typeof unitMs];
}

/** The moment that such a deadline means. */
export function givenDeadline(text: string | undefined, now: Date): string | undefined {
  const ms = deadlineMsOf(text);
  return ms === undefined ? text : new Date(now.getTime() + ms).toISOString();
}

export function priorityOption(text: string): number {
  if (/^-?\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number from -1000 to 1000.');
}
