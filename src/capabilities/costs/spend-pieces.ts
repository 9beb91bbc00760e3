import { engineTime } from '../../engine/export/row-text.ts';
import { type RollupName, type SpendPiece, type SpendRollup, spendRollups } from './spend-rows.ts';

/** From the first moment, included, to the last, excluded; absent: without an end. */
export interface Period {
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** By what the answer tells times. */
export type AnswerStep = 'day' | 'hour' | undefined;

/** The period as conditions on the records, with the parameters `from` and `to`. */
export function boundsOf({ from, to }: Period): string[] {
  return [
    ...(from === undefined ? [] : ["ts >= {from:DateTime64(3, 'UTC')}"]),
    ...(to === undefined ? [] : ["ts < {to:DateTime64(3, 'UTC')}"]),
  ];
}

/** Whole steps of a period, in milliseconds since 1970. */
interface Whole {
  readonly start: number | undefined;
  readonly end: number | undefined;
}

/**
 * A period in pieces that do not overlap: what the first rollup has whole, what the next has of the rest, and the rows of what
 * is left. Rollups come from the coarsest to the finest.
 */
export function piecesOf(period: Period, rollups: readonly RollupName[], step: AnswerStep): SpendPiece[] {
  const pieces: SpendPiece[] = [];
  let taken: Whole | undefined;
  for (const rollup of rollups.map((name) => spendRollups[name])) {
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
    pieces.push({ time: partTime(rollup, step), within });
    taken = whole;
  }
  const asked = { start: period.from?.getTime(), end: period.to?.getTime() };
  const rest = taken === undefined ? [] : outside(taken, asked, moment, 'ts');
  if (taken !== undefined && rest.length === 0) return pieces;
  const within = [...boundsOf(period), ...(rest.length === 0 ? [] : [`(${rest.join(' OR ')})`])];
  return [...pieces, { time: rowTime(step), within }];
}

/** The time of records as the answer tells it. */
export function rowTime(step: AnswerStep): string | undefined {
  if (step === undefined) return undefined;
  return step === 'hour' ? spendRollups.hour.time : spendRollups.day.time;
}

function partTime({ time, stepMs }: SpendRollup, step: AnswerStep): string | undefined {
  if (step !== 'day') return step === undefined ? undefined : time;
  return stepMs === spendRollups.day.stepMs ? time : `toDate(${time}, 'UTC')`;
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

function moment(ms: number): string {
  return `toDateTime64('${engineTime(new Date(ms))}', 3, 'UTC')`;
}
