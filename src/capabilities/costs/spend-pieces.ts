import { engineTime } from '../../engine/export/row-text.ts';
import type { AnswerTimes } from './answer-times.ts';
import { type RollupName, type SpendPiece, type SpendRollup, spendRollups } from './spend-rows.ts';

/** From the first moment, included, to the last, excluded; absent: without an end. */
export interface Period {
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** The period as conditions on the records, with its parameters: `from` and `to`, after a prefix. */
export function boundsOf({ from, to }: Period, prefix = ''): string[] {
  return [
    ...(from === undefined ? [] : [`ts >= {${prefix}from:DateTime64(3, 'UTC')}`]),
    ...(to === undefined ? [] : [`ts < {${prefix}to:DateTime64(3, 'UTC')}`]),
  ];
}

/** The parameters of these conditions. */
export function boundParameters({ from, to }: Period, prefix = ''): Record<string, string> {
  return {
    ...(from === undefined ? {} : { [`${prefix}from`]: engineTime(from) }),
    ...(to === undefined ? {} : { [`${prefix}to`]: engineTime(to) }),
  };
}

/** Whole steps of a period, in milliseconds since 1970. */
interface Whole {
  readonly start: number | undefined;
  readonly end: number | undefined;
}

export interface PieceOptions {
  /** From the coarsest to the finest. */
  readonly rollups: readonly RollupName[];
  readonly times: AnswerTimes;
  /** Of the parameters of the period. */
  readonly prefix?: string;
  /** Of the period, where a question has more than one. */
  readonly number?: number;
}

/**
 * A period in pieces that do not overlap: what the first rollup has whole, what the next has of the rest, and the rows of what
 * is left.
 */
export function piecesOf(
  period: Period,
  { rollups, times, prefix = '', number }: PieceOptions,
): SpendPiece[] {
  const pieces: SpendPiece[] = [];
  let taken: Whole | undefined;
  for (const name of rollups) {
    const rollup = spendRollups[name];
    const whole = wholeOf(period, rollup);
    if (whole.start !== undefined && whole.end !== undefined && whole.start >= whole.end) continue;
    const rest =
      taken === undefined ? [] : outside(taken, whole, (ms) => conditionTime(rollup, ms), rollup.time);
    if (taken !== undefined && rest.length === 0) continue;
    const within = [
      ...(whole.start === undefined ? [] : [`${rollup.time} >= ${conditionTime(rollup, whole.start)}`]),
      ...(whole.end === undefined ? [] : [`${rollup.time} < ${conditionTime(rollup, whole.end)}`]),
      ...(rest.length === 0 ? [] : [`(${rest.join(' OR ')})`]),
    ];
    pieces.push({ rollup: name, times: times.over(rollup.time), within, period: number });
    taken = whole;
  }
  const asked = { start: period.from?.getTime(), end: period.to?.getTime() };
  const rest = taken === undefined ? [] : outside(taken, asked, moment, 'ts');
  if (taken !== undefined && rest.length === 0) return pieces;
  const within = [...boundsOf(period, prefix), ...(rest.length === 0 ? [] : [`(${rest.join(' OR ')})`])];
  return [...pieces, { times: times.over('ts'), within, period: number }];
}

function wholeOf({ from, to }: Period, { stepMs }: SpendRollup): Whole {
  return {
    start: from === undefined ? undefined : Math.ceil(from.getTime() / stepMs) * stepMs,
    end: to === undefined ? undefined : Math.floor(to.getTime() / stepMs) * stepMs,
  };
}

/** What is wanted beyond what was taken, as alternatives. */
function outside(taken: Whole, wanted: Whole, written: (ms: number) => string, time: string): string[] {
  return [
    ...(taken.start === undefined || taken.start === wanted.start
      ? []
      : [`${time} < ${written(taken.start)}`]),
    ...(taken.end === undefined || taken.end === wanted.end ? [] : [`${time} >= ${written(taken.end)}`]),
  ];
}

/** A moment to compare a rollup's time with. A date has no zone: it is compared with dates only. */
function conditionTime({ stepMs }: SpendRollup, ms: number): string {
  return stepMs === spendRollups.day.stepMs
    ? `toDate('${new Date(ms).toISOString().slice(0, 10)}')`
    : moment(ms);
}

/** A moment as SQL. */
function moment(ms: number): string {
  return `toDateTime64('${engineTime(new Date(ms))}', 3, 'UTC')`;
}
