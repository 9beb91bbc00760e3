import { type OffsetStretch, offsetStretches } from '../../../kernel/time-zone.ts';
import { baselineWeeks } from './spend-anomaly.ts';

/*
 * Which hours are compared: each hour of a period with the hours at which the clocks of the zone showed the same time of the same
 * weekday in the weeks before. Where clocks were changed in between, that is not 168 hours but one more or less.
 */

const hourMs = 3_600_000;
const weekMs = 168 * hourMs;

export interface ComparedHour {
  /** Milliseconds since 1970. */
  readonly startMs: number;
  /** The number of the hour of the period that it is compared with, from 0. */
  readonly slot: number;
  /** How many weeks before; 0: the hour itself. */
  readonly week: number;
}

/** Every hour of the period and of its past. No hour is in it twice: one that clocks repeat has the second one's past 168 hours before. */
export function hoursOfWeeks(fromMs: number, toMs: number, timeZone: string): readonly ComparedHour[] {
  const stretches = offsetStretches(timeZone, fromMs - (baselineWeeks + 1) * weekMs, toMs);
  const hours = new Map<number, ComparedHour>();
  for (let slot = 0; fromMs + slot * hourMs < toMs; slot += 1) {
    const startMs = fromMs + slot * hourMs;
    hours.set(startMs, { startMs, slot, week: 0 });
  }
  const present = [...hours.values()];
  for (const { startMs: current, slot } of present) {
    for (let week = 1; week <= baselineWeeks; week += 1) {
      const plain = current - week * weekMs;
      const moved = plain + offsetAt(stretches, current) - offsetAt(stretches, plain);
      const startMs = [Math.round(moved / hourMs) * hourMs, plain].find((ms) => !hours.has(ms));
      if (startMs !== undefined) hours.set(startMs, { startMs, slot, week });
    }
  }
  return [...hours.values()];
}

function offsetAt(stretches: readonly OffsetStretch[], ms: number): number {
  return (stretches.findLast(({ fromMs }) => fromMs <= ms) ?? stretches[0])?.offsetMs ?? 0;
}
