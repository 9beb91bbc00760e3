import { addDays, addMonths, dayAt, startOfDay } from '../../kernel/time-zone.ts';

/** What a previous period is as long as: so many months, so many days, or so much time. */
export type PeriodUnit = 'months' | 'days' | 'time';

export interface PreviousPeriod {
  readonly from: Date;
  readonly to: Date;
  readonly unit: PeriodUnit;
}

/**
 * The period before another, of equal length: as many months where it is whole months of the zone, as many days where it
 * is whole days, whatever hours these have; else as much time.
 */
export function previousPeriod({ from, to }: { from: Date; to: Date }, timeZone: string): PreviousPeriod {
  const first = dayAt(timeZone, from.getTime());
  const end = dayAt(timeZone, to.getTime());
  const startsDays = [from, to].every(
    (time, index) => startOfDay(timeZone, [first, end][index] ?? '') === time.getTime(),
  );
  if (!startsDays) return { from: new Date(2 * from.getTime() - to.getTime()), to: from, unit: 'time' };
  const at = (day: string): Date => new Date(startOfDay(timeZone, day));
  if (first.endsWith('-01') && end.endsWith('-01')) {
    return { from: at(addMonths(first, -monthsBetween(first, end))), to: from, unit: 'months' };
  }
  const days = (Date.parse(end) - Date.parse(first)) / 86_400_000;
  return { from: at(addDays(first, -days)), to: from, unit: 'days' };
}

function monthsBetween(first: string, end: string): number {
  const monthOf = (day: string): number => {
    const [year = 0, month = 0] = day.split('-').map(Number);
    return year * 12 + month;
  };
  return monthOf(end) - monthOf(first);
}
