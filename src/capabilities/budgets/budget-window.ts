import { z } from 'zod';

/*
 * The windows that a budget's limit is for: a calendar hour, day, week (from Monday) or month of a time zone; or the last so-and-so many
 * hours or days, which are counted in 48 slices, so that the limit holds for every stretch of that length.
 */

const calendarUnits = ['hour', 'day', 'week', 'month'] as const;
type CalendarUnit = (typeof calendarUnits)[number];

const rolling = /^([1-9]\d{0,2})(h|d)$/;
/** The retention of windows counts with no longer ones. */
const maxRollingHours = 30 * 24;
const slices = 48;
const problem = `must be ${calendarUnits.join(', ')}, or a number of hours or days such as "24h" or "7d", "30d" at most`;

/** A window as users write it; rolling ones of the same length are the same text. */
export const budgetWindow = z
  .string(problem)
  .refine((text) => isCalendarUnit(text) || hoursOf(text) <= maxRollingHours, problem)
  .transform((text) => (isCalendarUnit(text) ? text : rollingText(hoursOf(text))));

/** A window as the ledger has it: a calendar unit, or "rolling" with the length of the window and of its slices. */
export interface WindowColumns {
  readonly window_unit: CalendarUnit | 'rolling';
  readonly window_hours: number | undefined;
  readonly slice_seconds: number | undefined;
}

/** How the ledger has a window. */
export function windowColumns(window: string): WindowColumns {
  if (isCalendarUnit(window)) {
    return { window_unit: window, window_hours: undefined, slice_seconds: undefined };
  }
  const hours = hoursOf(window);
  return { window_unit: 'rolling', window_hours: hours, slice_seconds: (hours * 3600) / slices };
}

/** A window, from how the ledger has it. */
export function windowText(unit: CalendarUnit | 'rolling', hours: number | null): string {
  return unit === 'rolling' ? rollingText(hours ?? 0) : unit;
}

/** Whether it is no calendar window. */
export function isRolling(window: string): boolean {
  return !isCalendarUnit(window);
}

/** The window in a sentence: "per month", "in any 24h". */
export function windowPhrase(window: string): string {
  return isRolling(window) ? `in any ${window}` : `per ${window}`;
}

function isCalendarUnit(text: string): text is CalendarUnit {
  return calendarUnits.some((unit) => unit === text);
}

/** Infinity where it is no rolling window. */
function hoursOf(text: string): number {
  const [, count, unit] = rolling.exec(text) ?? [];
  return count === undefined ? Number.POSITIVE_INFINITY : Number(count) * (unit === 'd' ? 24 : 1);
}

function rollingText(hours: number): string {
  return hours > 24 && hours % 24 === 0 ? `${hours / 24}d` : `${hours}h`;
}
