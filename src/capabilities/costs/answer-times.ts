import { engineTime } from '../../engine/export/row-text.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type OffsetStretch, offsetStretches } from '../../kernel/time-zone.ts';
import type { SpendRollup } from './spend-rows.ts';

/*
 * The times that an answer tells: hours (`part_hour`, always whole hours of UTC) and days of a time zone (`part_day`; months
 * and weeks are made of them). A day is a record's time moved by the zone's offset, which the statement says itself: where all
 * offsets of the period are whole hours, a whole hour lies in one day, and the rollup by the hour has the days of the zone.
 */

/** Fields of groups that are made of days. */
export const dayFields = ['day', 'week', 'month'] as const;

/** Fields of groups that are times. */
export const timeFields = [...dayFields, 'hour'] as const;
export type TimeField = (typeof timeFields)[number];

export interface AnswerTimesQuestion {
  readonly groupBy: readonly string[];
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** IANA name; absent: UTC. */
  readonly timeZone?: string | undefined;
}

const hourMs = 3_600_000;

export class AnswerTimes {
  readonly hasHours: boolean;
  readonly hasDays: boolean;
  /** Absent where the answer tells no days, or those of UTC. */
  readonly #stretches: readonly OffsetStretch[] | undefined;

  /** Days of another zone than UTC need a period with both ends. */
  constructor({ groupBy, from, to, timeZone = 'UTC' }: AnswerTimesQuestion) {
    this.hasHours = groupBy.includes('hour');
    this.hasDays = dayFields.some((field) => groupBy.includes(field));
    if (!this.hasDays || timeZone === 'UTC') return;
    invariant(from !== undefined && to !== undefined, 'days of a time zone are asked for in a period');
    this.#stretches = offsetStretches(timeZone, from.getTime(), to.getTime());
  }

  /** Whether a rollup of such steps tells them: one by the hour has hours, and the days of zones that are whole hours ahead. */
  areIn({ stepMs }: Pick<SpendRollup, 'stepMs'>): boolean {
    if (stepMs === hourMs) return this.#stretches?.every(({ offsetMs }) => offsetMs % hourMs === 0) ?? true;
    return !this.hasHours && this.#stretches === undefined;
  }

  /** Their expressions over the time of a rollup or of records, by the names under which parts give them. */
  over(time: string): Readonly<Record<string, string>> {
    return {
      ...(this.hasHours ? { part_hour: time === 'ts' ? 'toStartOfHour(ts)' : time } : {}),
      ...(this.hasDays ? { part_day: this.#day(time) } : {}),
    };
  }

  #day(time: string): string {
    if (this.#stretches === undefined) {
      if (time === 'ts') return "toDate(ts, 'UTC')";
      return time.startsWith('toDate(') ? time : `toDate(${time}, 'UTC')`;
    }
    const [first, ...later] = this.#stretches;
    const offsets = this.#stretches.map(({ offsetMs }) => String(offsetMs / 1000));
    // The last offset holds wherever none of the changes is still to come.
    const cases = later.flatMap(({ fromMs }, index) => [
      `${time} < toDateTime64('${engineTime(new Date(fromMs))}', 3, 'UTC')`,
      offsets[index] ?? '',
    ]);
    const offset =
      first === undefined || later.length === 0
        ? (offsets[0] ?? '0')
        : `multiIf(${[...cases, offsets.at(-1)].join(', ')})`;
    return `toDate(${time} + toIntervalSecond(${offset}), 'UTC')`;
  }
}

/** A field of times as a column of the answer. */
export function timeColumn(field: TimeField): string {
  switch (field) {
    case 'hour':
      return 'part_hour AS hour';
    case 'day':
      return 'part_day AS day';
    case 'week':
      return 'toMonday(part_day) AS week';
    case 'month':
      return 'toStartOfMonth(part_day) AS month';
  }
}
