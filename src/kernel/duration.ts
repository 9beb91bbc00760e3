import { invariant } from './invariant.ts';

/** A duration as people write it ("250ms", "5s", "10m", "2h", "7d") or in milliseconds. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** The duration in milliseconds. Fails on what is not a duration: durations are written by programmers. */
export function durationMs(duration: Duration): number {
  const ms = parseDurationMs(duration);
  invariant(
    ms !== undefined,
    typeof duration === 'number'
      ? `${duration} is a duration in milliseconds`
      : `"${duration}" is a duration like "5s"`,
  );
  return ms;
}

/** The same for what others wrote: undefined when it is no duration. */
export function parseDurationMs(duration: unknown): number | undefined {
  if (typeof duration === 'number') return Number.isFinite(duration) && duration >= 0 ? duration : undefined;
  const match = typeof duration === 'string' ? pattern.exec(duration) : null;
  const unit = match?.[2];
  return match === null || unit === undefined || !(unit in unitMs)
    ? undefined
    : Number(match[1]) * unitMs[unit as keyof typeof unitMs];
}
