import type { GeneratedBoard } from '../live/generated-board.ts';
import type { BoardView } from '../live/grafana-macros.ts';
import type { DataSeries, DataSources } from '../live/panel-data.ts';
import { colourNamed } from './colours.ts';

/** A moment at which something happened that explains the curves. */
export interface Mark {
  readonly seconds: number;
  readonly colour: string;
}

type Points = DataSeries['points'];

/** The board's annotations as marks: where a value is a time, that one; otherwise where something begins. */
export async function marksOf(
  board: GeneratedBoard,
  { prometheus }: Pick<DataSources, 'prometheus'>,
  view: BoardView,
): Promise<readonly Mark[]> {
  const marks = new Map<string, Mark>();
  for (const { expr, iconColor, useValueForTime } of board.annotations.list) {
    const colour = colourNamed(iconColor);
    const answers = await prometheus.queryRange(expr, view);
    for (const { points } of answers) {
      const moments =
        useValueForTime === true ? [(points.at(-1)?.[1] ?? 0) / 1000] : beginnings(points, view.stepSeconds);
      for (const seconds of moments) {
        // What happens within a step stands on one line.
        const key = `${colour} ${Math.round(seconds / view.stepSeconds)}`;
        if (seconds >= view.fromSeconds && seconds <= view.toSeconds) marks.set(key, { seconds, colour });
      }
    }
  }
  return [...marks.values()];
}

/** The first points of unbroken stretches. */
export function beginnings(points: Points, stepSeconds: number): readonly number[] {
  return points.flatMap(([seconds], index) => {
    const before = points[index - 1]?.[0];
    return before === undefined || seconds - before > 1.5 * stepSeconds ? [seconds] : [];
  });
}
