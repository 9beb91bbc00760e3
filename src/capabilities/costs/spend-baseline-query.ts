import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import { engineTime } from '../../engine/export/row-text.ts';
import type { BoundSql } from './usage-queries.ts';

/*
 * What names spent lately, and in the same part of the day before. A call's age says both which day it belongs to (how
 * many times 24 hours it is ago) and whether it lies in the last hour of that day's part, or in the part since midnight
 * UTC. One pass over the records of the days, all three dimensions at once.
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
function spendHistorySql(question: SpendHistoryQuestion, database: string): BoundSql {
  const { now, days, hourFloorUsd, dayFloorUsd } = question;
  const money = (condition: string): string => `sumIf(cost, ${condition})`;
  const sql = `SELECT pair.1 AS dimension, pair.2 AS name,
  ${money('day_number = 0 AND day_age < {hour_ms:Int64}')} AS hour_spend,
  ${money('day_number > 0 AND day_age < {hour_ms:Int64}')} AS past_hours_spend,
  ${money('day_number = 0 AND day_age < {today_ms:Int64}')} AS day_spend,
  ${money('day_number > 0 AND day_age < {today_ms:Int64}')} AS past_days_spend,
  least(intDiv(max(age), {day_ms:Int64}), {days:Int64}) AS known_days
FROM (
  SELECT arrayJoin([('team', toString(team)), ('customer', customer), ('feature', toString(feature))]) AS pair,
    toDecimal256(ifNull(cost_usd, 0), 18) AS cost,
    dateDiff('millisecond', ts, {now:DateTime64(3, 'UTC')}) - 1 AS age,
    intDiv(age, {day_ms:Int64}) AS day_number,
    age % {day_ms:Int64} AS day_age
  FROM ${database}.usage
  WHERE ts >= {from:DateTime64(3, 'UTC')} AND ts < {now:DateTime64(3, 'UTC')}
)
GROUP BY dimension, name
HAVING hour_spend >= {hour_floor:Decimal(38, 18)} OR day_spend >= {day_floor:Decimal(38, 18)}
ORDER BY greatest(toFloat64(hour_spend) / toFloat64(past_hours_spend + {hour_floor:Decimal(38, 18)}),
  toFloat64(day_spend) / toFloat64(past_days_spend + {day_floor:Decimal(38, 18)})) DESC, name, dimension
LIMIT ${maxNames} BY dimension`;
  return {
    sql,
    parameters: {
      now: engineTime(now),
      from: engineTime(new Date(now.getTime() - (days + 1) * dayMs)),
      hour_ms: hourMs,
      day_ms: dayMs,
      today_ms: now.getTime() % dayMs,
      days,
      hour_floor: hourFloorUsd.toFixed(),
      day_floor: dayFloorUsd.toFixed(),
    },
  };
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
