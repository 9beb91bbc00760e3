import { thresholds } from '../thresholds.ts';

const minuteMs = 60_000;

/** What rules are written with: the thresholds, and times as PromQL writes them. */
export class RuleTerms {
  readonly thresholds = thresholds;
  readonly #timeScale: number;

  /** `timeScale` multiplies every time: 1 in production; 1/60 makes an hour a minute, so that a test need not wait. */
  constructor(timeScale = 1) {
    this.#timeScale = timeScale;
  }

  /** A window or a `for`: "1h", "5m", "90s". */
  minutes(minutes: number): string {
    const ms = Math.round(minutes * minuteMs * this.#timeScale);
    const [divisor, unit] = (
      [
        [60 * minuteMs, 'h'],
        [minuteMs, 'm'],
        [1000, 's'],
      ] as const
    ).find(([size]) => ms % size === 0) ?? [1, 'ms'];
    return `${ms / divisor}${unit}`;
  }

  hours(hours: number): string {
    return this.minutes(hours * 60);
  }

  /** An age in seconds to compare with. */
  seconds(seconds: number): number {
    return seconds * this.#timeScale;
  }
}

/**
 * Events of a counter within the window, more than 0. A series that is new counts whole: its first scrape shows the
 * events already, and `increase` would see none.
 */
export function sinceUnseen(aggregation: string, counter: string, window: string): string {
  return `${aggregation} (increase(${counter}[${window}]) > 0 or (${counter} unless ${counter} offset ${window})) > 0`;
}
