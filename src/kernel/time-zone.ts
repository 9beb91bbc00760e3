/*
 * Calendar days of a named time zone (IANA), with the offsets that Node's time zone data has for it: the one source of offsets, so
 * that stores which have their own data cannot disagree. A day is its date as text, "2026-03-29"; it begins at the first moment
 * that has this date there, and is 23 or 25 hours long where clocks are changed.
 */

/** A stretch of time in which a zone keeps one offset. */
export interface OffsetStretch {
  /** First moment, in milliseconds since 1970. */
  readonly fromMs: number;
  /** What local clocks are ahead of UTC. */
  readonly offsetMs: number;
}

const dayMs = 86_400_000;
/** No zone changes its offset twice within so little time. */
const probeMs = 7 * dayMs;
/** No offset is as large. */
const maxOffsetMs = 26 * 3_600_000;
const zoneName = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;
const formats = new Map<string, Intl.DateTimeFormat>();
/** More than there are zones. Names may be written in any case, so there can be more names than zones. */
const maxFormats = 1_000;

/** PostgreSQL takes such names for abbreviations, which mean other places there than here: "IST" is Israel, or India. */
const abbreviation = /^(?!(?:UTC|GMT)$)[A-Z]{1,5}$/i;

/**
 * Whether the text names a time zone that is the same one everywhere. Offsets such as "+02:00" are none: they know no daylight saving.
 * Nor are abbreviations.
 */
export function isTimeZone(name: string): boolean {
  if (!zoneName.test(name) || abbreviation.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** What local clocks are ahead of UTC at a moment, in milliseconds. */
function offsetMsAt(zone: string, ms: number): number {
  if (zone === 'UTC') return 0;
  const seconds = Math.floor(ms / 1000) * 1000;
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(zone).formatToParts(seconds)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - seconds;
}

/** The offsets of a period, in their order: the first stretch begins at its start. */
export function offsetStretches(zone: string, fromMs: number, toMs: number): readonly OffsetStretch[] {
  const stretches: OffsetStretch[] = [{ fromMs, offsetMs: offsetMsAt(zone, fromMs) }];
  if (zone === 'UTC') return stretches;
  let before = fromMs;
  let offsetMs = offsetMsAt(zone, fromMs);
  while (before < toMs) {
    const after = Math.min(before + probeMs, toMs);
    const next = offsetMsAt(zone, after);
    if (next !== offsetMs) {
      stretches.push({ fromMs: changeBetween(zone, before, after), offsetMs: next });
      offsetMs = next;
    }
    before = after;
  }
  return stretches;
}

/** The date of a moment there. */
export function dayAt(zone: string, ms: number): string {
  return dateText(ms + offsetMsAt(zone, ms));
}

/** The first moment of a day there, in milliseconds since 1970. */
export function startOfDay(zone: string, day: string): number {
  const midnight = Date.parse(day);
  if (zone === 'UTC') return midnight;
  // With each offset that the zone has about then; of two that hold, the earlier moment.
  const before = offsetMsAt(zone, midnight - maxOffsetMs);
  const after = offsetMsAt(zone, midnight + maxOffsetMs);
  const found = [midnight - before, midnight - after]
    .filter((ms) => ms + offsetMsAt(zone, ms) === midnight)
    .toSorted((left, right) => left - right)[0];
  // Clocks skip midnight: the day begins where they are changed.
  return found ?? changeBetween(zone, midnight - maxOffsetMs, midnight + maxOffsetMs);
}

/** The day so many days later. */
export function addDays(day: string, days: number): string {
  return dateText(Date.parse(day) + days * dayMs);
}

/** The first day of the month so many months later. */
export function addMonths(day: string, months: number): string {
  const [year = 0, month = 1] = day.split('-').map(Number);
  return dateText(Date.UTC(year, month - 1 + months, 1));
}

/** The week of a day by ISO 8601: "2026-W01". Weeks begin on Monday; the first one has the year's first Thursday. */
export function isoWeek(day: string): string {
  const monday = Date.parse(day) - ((new Date(day).getUTCDay() + 6) % 7) * dayMs;
  const thursday = new Date(monday + 3 * dayMs);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * dayMs)) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** A moment as clocks there show it, to the second, with its offset: "2026-10-25T02:00:00+01:00". */
export function localTime(zone: string, ms: number): string {
  const offsetMs = offsetMsAt(zone, ms);
  const local = new Date(ms + offsetMs).toISOString().slice(0, 19);
  if (offsetMs === 0) return `${local}Z`;
  const minutes = Math.abs(offsetMs) / 60_000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${local}${offsetMs < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** The moment between two at which the offset changes, once. */
function changeBetween(zone: string, beforeMs: number, afterMs: number): number {
  const old = offsetMsAt(zone, beforeMs);
  let low = beforeMs;
  let high = afterMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMsAt(zone, middle) === old) low = middle;
    else high = middle;
  }
  return high;
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formats.size >= maxFormats) formats.clear();
  formats.set(zone, format);
  return format;
}
