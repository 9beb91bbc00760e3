import { invariant } from './invariant.ts';

/** A duration as people write it ("250ms", "5s", "10m", "2h", "7d") or in milliseconds. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** The duration in milliseconds. Fails on what is not a duration: durations are written by programmers. */
export function durationMs(duration: Duration): number {
  if (typeof duration === 'number') {
    invariant(Number.isFinite(duration) && duration >= 0, `${duration} is a duration in milliseconds`);
    return duration;
  }
  const match = pattern.exec(duration);
  const unit = match?.[2];
  invariant(match !== null && unit !== undefined && unit in unitMs, `"${duration}" is a duration like "5s"`);
  return Number(match[1]) * unitMs[unit as keyof typeof unitMs];
}
