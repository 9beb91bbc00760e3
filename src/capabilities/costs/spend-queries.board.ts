import { type SpendColumn, spendParts, spendRollups, spendRowsSql } from './spend-rows.ts';
import type { SpendSum } from '../../engine/export/spend-sums.ts';

/*
 * Spend on boards, read as reports read it: the whole hours (or days) of the time range from a rollup, its edges from the
 * records. Where a chosen filter is not in the rollup, ClickHouse reads the records by itself.
 */

/** The records of spend. */
export const usageTable = 'millrace.usage';

/** The time range of the board, or the equally long one that ended when it began. */
export type Span = 'now' | 'before';

export interface SpendPartsQuestion {
  readonly by?: readonly SpendColumn[];
  readonly sums: readonly SpendSum[];
  /** What is chosen on the board. */
  readonly where: string;
  /** By the day for customers; by the hour for all else. */
  readonly rollup?: 'hour' | 'customers';
  readonly span?: Span;
  /** Whether parts tell their hour, as `part_time`. */
  readonly hasTime?: boolean;
}

const length = '($__toTime - $__fromTime)';

/** Rows whose `part_…` add up to the sums, as a subquery. */
export function spendPartsSql({
  by = [],
  sums,
  where,
  rollup: name = by.includes('customer') ? 'customers' : 'hour',
  span = 'now',
  hasTime = false,
}: SpendPartsQuestion): string {
  const { time } = spendRollups[name];
  // In UTC, whatever the server's zone: rollups have the hours and days of UTC.
  const from = `toDateTime($__fromTime${span === 'now' ? '' : ` - ${length}`}, 'UTC')`;
  const to = `toDateTime(${span === 'now' ? '$__toTime' : '$__fromTime'}, 'UTC')`;
  const start = name === 'hour' ? 'toStartOfHour' : 'toStartOfDay';
  const firstWhole = `${start}(${from} + INTERVAL ${name === 'hour' ? 3599 : 86_399} SECOND)`;
  const endOfWhole = `${start}(${to})`;
  const asStep = (moment: string): string => (name === 'hour' ? moment : `toDate(${moment})`);
  return spendRowsSql({
    table: usageTable,
    columns: by,
    aggregates: spendParts(sums),
    pieces: [
      {
        times: hasTime ? { part_time: time } : {},
        within: [`${time} >= ${asStep(firstWhole)}`, `${time} < ${asStep(endOfWhole)}`],
      },
      {
        times: hasTime ? { part_time: time } : {},
        within: [
          span === 'now'
            ? 'ts >= $__fromTime AND ts <= $__toTime'
            : `ts >= $__fromTime - ${length} AND ts < $__fromTime`,
          `(ts < ${firstWhole} OR ts >= ${endOfWhole})`,
        ],
      },
    ],
    conditions: [where],
  });
}

/** The parts of the time range and of the one before it, distinguished by `is_now`. */
export function spendPartsOfBothSql(question: Omit<SpendPartsQuestion, 'span'>): string {
  return (['now', 'before'] as const)
    .map(
      (span) =>
        `SELECT *, ${span === 'now' ? 1 : 0} AS is_now FROM (${spendPartsSql({ ...question, span })})`,
    )
    .join(' UNION ALL ');
}
