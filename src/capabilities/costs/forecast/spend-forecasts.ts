import { formatUsd, roundedTo, sumUsd, type Usd, zeroUsd } from '../../../kernel/money.ts';
import type { CallerView } from '../../../http/api-key-identity.ts';
import { addDays, addMonths, dayAt, startOfDay } from '../../../kernel/time-zone.ts';
import type { CostReports } from '../cost-reports.ts';
import type { ForecastDocument, ForecastRequest } from './forecast-document.ts';
import { forecastDays, forecastSpend, type PastDay } from './spend-forecast.ts';

/** Digits of amounts that are no sums. */
const digits = 6;
const rounded = (amount: Usd): string => formatUsd(roundedTo(amount, digits));

/**
 * What the month of the given time will have cost, for the viewer, from one report by the day. Throws as CostReports does.
 */
export async function forecastMonth(
  reports: CostReports,
  { filters, timeZone }: ForecastRequest,
  { now, viewer }: { readonly now: Date; readonly viewer: CallerView },
): Promise<ForecastDocument> {
  const today = dayAt(timeZone, now.getTime());
  const month = addMonths(today, 0);
  const firstPast = addDays(today, -forecastDays);
  const startOf = (day: string): Date => new Date(startOfDay(timeZone, day));
  const { groups } = await reports.query(
    {
      groupBy: ['day'],
      from: startOf(firstPast < month ? firstPast : month),
      to: now,
      timeZone,
      filters,
      order: { by: 'group', direction: 'asc' },
      messages: 'none',
    },
    viewer,
  );
  const costs = new Map(groups.map(({ group, costUsd }) => [group.day ?? '', costUsd]));
  const ofMonth = groups.filter(({ group: { day = '' } }) => day >= month);
  const spentUsd = sumUsd(ofMonth.map(({ costUsd }) => costUsd));
  const past = pastDays(costs, firstPast, today);
  const forecast = forecastSpend({ past, spentUsd, rest: restOfMonth(timeZone, now, today) });
  const { expectedUsd, lowUsd, highUsd } = forecast;
  return {
    month: month.slice(0, 7),
    timeZone,
    asOf: now.toISOString(),
    currency: 'USD',
    spentUsd: formatUsd(spentUsd),
    ...(expectedUsd === undefined ? {} : { expectedUsd: rounded(expectedUsd) }),
    ...(lowUsd === undefined ? {} : { lowUsd: rounded(lowUsd) }),
    ...(highUsd === undefined ? {} : { highUsd: rounded(highUsd) }),
    method: forecast.method,
    historyDays: past.length,
    days: forecast.days.map(({ day, costUsd }) => ({ day, expectedUsd: rounded(costUsd) })),
    unpricedCalls: ofMonth.reduce((sum, { unpricedCalls }) => sum + unpricedCalls, 0),
    openUpperBoundUsd: formatUsd(sumUsd(ofMonth.map(({ upperBoundUsd }) => upperBoundUsd))),
  };
}

/** The whole days before today, from the first that has spend: a day without any in between cost nothing. */
function pastDays(costs: ReadonlyMap<string, Usd>, first: string, today: string): PastDay[] {
  const days: PastDay[] = [];
  for (let day = first; day < today; day = addDays(day, 1)) {
    const costUsd = costs.get(day);
    if (costUsd !== undefined || days.length > 0) days.push({ day, costUsd: costUsd ?? zeroUsd });
  }
  return days;
}

function restOfMonth(timeZone: string, now: Date, today: string): { day: string; part: number }[] {
  const start = startOfDay(timeZone, today);
  const end = startOfDay(timeZone, addDays(today, 1));
  const rest = [{ day: today, part: (end - now.getTime()) / (end - start) }];
  for (let day = addDays(today, 1); day < addMonths(today, 1); day = addDays(day, 1))
    rest.push({ day, part: 1 });
  return rest;
}
