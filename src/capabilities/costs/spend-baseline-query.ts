import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import { spendSums } from '../../engine/export/spend-sums.ts';
import { boundParameters, boundsOf } from './spend-pieces.ts';
import { spendParts, spendRollups, spendRowsSql } from './spend-rows.ts';
import type { BoundSql } from './usage-queries.ts';

/*
 * What names spent lately, and in the same part of the day before. A call's age says both which day it belongs to (how
 * many times 24 hours it is ago) and whether it lies in the last hour of that day's part, or in the part since midnight
 * UTC. Teams and features come from the rollup by the hour, and only the two hours of each day in which a window begins or ends from
 * records; customers, whom no rollup has by the hour, from records, once.
 */

export const spendDimensions = ['team', 'customer', 'feature'] as const;
export type SpendDimension = (typeof spendDimensions)[number];

export interface SpendHistoryQuestion {
  readonly now: Date;
  /** Days before today that are looked at. */
  readonly days: number;
  /** Names that spent less in the hour and less in the day are left out. */
  readonly hourFloorUsd: Usd;
  readonly dayFloorUsd: Usd;
}

/** One name's spend, exact. */
export interface SpendHistory {
  readonly dimension: SpendDimension;
  readonly name: string;
  /** Of the last 60 minutes. */
  readonly hourUsd: Usd;
  /** Of the same 60 minutes of the previous days, in sum. */
  readonly pastHoursUsd: Usd;
  /** Since midnight UTC. */
  readonly dayUsd: Usd;
  /** From midnight to the same time of the previous days, in sum. */
  readonly pastDaysUsd: Usd;
  /** Whole days, up to those asked for, since the name's first record in the time looked at. */
  readonly knownDays: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Names of one dimension that are read at most: the likeliest first. */
const maxNames = 200;

/** The statement that answers the question. */
export function spendHistorySql(question: SpendHistoryQuestion, database: string): BoundSql {
  const { now, days, hourFloorUsd, dayFloorUsd } = question;
  const money = (condition: string): string => `sumIf(part_cost, ${condition})`;
  const sql = `SELECT pair.1 AS dimension, pair.2 AS name,
  ${money('is_now AND in_hour')} AS hour_spend,
  ${money('NOT is_now AND in_hour')} AS past_hours_spend,
  ${money('is_now AND in_day')} AS day_spend,
  ${money('NOT is_now AND in_day')} AS past_days_spend,
  least(intDiv(max(age), {day_ms:Int64}), {days:Int64}) AS known_days
FROM (
  SELECT arrayJoin([('team', toString(team)), ('feature', toString(feature))]) AS pair, part_cost,
    {now_ms:Int64} - part_ms - 1 AS age, ${windowsOf('age')}
  FROM (${teamRowsSql(now, `${database}.usage`)})
  UNION ALL
  SELECT ('customer', customer) AS pair, part_cost, age, is_now, in_hour, in_day FROM (
    SELECT customer, ${spendSums.cost} AS part_cost, {now_ms:Int64} - min(toUnixTimestamp64Milli(ts)) - 1 AS age,
      ${windowsOf(`(${ageOfRecord})`)}
    FROM ${database}.usage
    WHERE ${boundsOf({ from: now, to: now }).join(' AND ')}
    GROUP BY customer, is_now, in_hour, in_day
  )
)
GROUP BY dimension, name
HAVING hour_spend >= {hour_floor:Decimal(38, 18)} OR day_spend >= {day_floor:Decimal(38, 18)}
ORDER BY greatest(toFloat64(hour_spend) / toFloat64(past_hours_spend + {hour_floor:Decimal(38, 18)}),
  toFloat64(day_spend) / toFloat64(past_days_spend + {day_floor:Decimal(38, 18)})) DESC, name, dimension
LIMIT ${maxNames} BY dimension`;
  return {
    sql,
    parameters: {
      ...boundParameters({ from: new Date(now.getTime() - (days + 1) * dayMs), to: now }),
      now_ms: now.getTime(),
      hour_ms: hourMs,
      day_ms: dayMs,
      today_ms: now.getTime() % dayMs,
      days,
      hour_floor: hourFloorUsd.toFixed(),
      day_floor: dayFloorUsd.toFixed(),
    },
  };
}

/** Whether an age is of today's part of the day, and in which windows. */
const windowsOf = (age: string): string =>
  [
    `intDiv(${age}, {day_ms:Int64}) = 0 AS is_now`,
    `${age} % {day_ms:Int64} < {hour_ms:Int64} AS in_hour`,
    `${age} % {day_ms:Int64} < {today_ms:Int64} AS in_day`,
  ].join(', ');

/** How long ago a record's call was sent, less a millisecond: what is sent now is not in it. */
const ageOfRecord = '{now_ms:Int64} - toUnixTimestamp64Milli(ts) - 1';

/**
 * Spend of teams and features by `part_ms`, the start of an hour or, within an hour in which a window ends, of the part of it before
 * or after that moment: every window holds a part whole or not at all.
 */
function teamRowsSql(now: Date, table: string): string {
  const period = { from: now, to: now };
  const { time } = spendRollups.hour;
  const hour = now.getUTCHours();
  // The windows end at the minute of now: in its hour, and an hour earlier.
  const cut = `(${hour}, ${(hour + 23) % 24})`;
  const hourStart = 'toInt64(toUnixTimestamp(toStartOfHour(ts))) * 1000';
  const minuteMs = now.getTime() % hourMs;
  const cutStart = `intDiv(toUnixTimestamp64Milli(ts) - ${minuteMs}, ${hourMs}) * ${hourMs} + ${minuteMs}`;
  return spendRowsSql({
    table,
    columns: ['team', 'feature'],
    aggregates: spendParts(['cost']),
    pieces: [
      {
        rollup: 'hour',
        times: { part_ms: hourStart },
        within: [
          `${time} >= {from:DateTime64(3, 'UTC')}`,
          `${time} < {to:DateTime64(3, 'UTC')}`,
          `toHour(${time}) NOT IN ${cut}`,
        ],
      },
      {
        times: { part_ms: `greatest(${hourStart}, ${cutStart})` },
        within: [...boundsOf(period), `toHour(ts) IN ${cut}`],
      },
    ],
    conditions: [],
  });
}

/** Asks the store and reads its answer. */
export async function readSpendHistory(
  store: ColumnStore,
  question: SpendHistoryQuestion,
): Promise<SpendHistory[]> {
  const { sql, parameters } = spendHistorySql(question, store.database);
  const rows = await store.query<Record<string, unknown>>(sql, parameters);
  return rows.map((row) => ({
    dimension: dimensionOf(row['dimension']),
    name: String(row['name']),
    hourUsd: amount(row, 'hour_spend'),
    pastHoursUsd: amount(row, 'past_hours_spend'),
    dayUsd: amount(row, 'day_spend'),
    pastDaysUsd: amount(row, 'past_days_spend'),
    knownDays: Number(row['known_days']),
  }));
}

function dimensionOf(value: unknown): SpendDimension {
  const dimension = spendDimensions.find((known) => known === value);
  invariant(dimension !== undefined, `${String(value)} is a dimension of spend`);
  return dimension;
}

function amount(row: Readonly<Record<string, unknown>>, column: string): Usd {
  const value = row[column];
  invariant(typeof value === 'string', `${column} comes as a decimal string`);
  return usd(value);
}
