import type { BoardView } from '../live/grafana-macros.ts';

const daySeconds = 86_400;
const quarterSeconds = 900;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** A time on an axis, as exact as the range that is shown asks for: "14:05:30", "14:05" or "22 Nov". UTC. */
export function timeText(
  milliseconds: number,
  { fromSeconds, toSeconds }: Pick<BoardView, 'fromSeconds' | 'toSeconds'>,
): string {
  const time = new Date(milliseconds);
  const length = toSeconds - fromSeconds;
  if (length > 2 * daySeconds) return `${time.getUTCDate()} ${months[time.getUTCMonth()] ?? ''}`;
  return time.toISOString().slice(11, length < quarterSeconds ? 19 : 16);
}
