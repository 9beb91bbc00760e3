import { page } from './colours.ts';
import { formatValue } from './format-value.ts';

/* The axis of values: steps that read well in their unit, and no step between whole numbers where there are only those. */

const wantedSteps = 4;
const niceSteps: Readonly<Record<string, readonly number[]>> = {
  // Seconds, as soon as they are minutes.
  s: [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800],
  bytes: Array.from({ length: 50 }, (_, power) => 2 ** power),
};
const roundBelow: Readonly<Record<string, number>> = { s: 60 };

export interface ValueAxis {
  readonly unit: string | undefined;
  readonly decimals: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** The highest value that is drawn. */
  readonly highest: number;
}

/** The axis as the chart takes it. */
export function valueAxis({ unit, decimals, min, max, highest }: ValueAxis): object {
  const interval = max === 1 ? 0.25 : niceInterval(unit, max ?? highest);
  const top = max ?? (interval === undefined ? undefined : Math.ceil(highest / interval) * interval);
  return {
    type: 'value' as const,
    min: min ?? ((extent: { min: number }) => Math.min(0, extent.min)),
    ...(top === undefined ? {} : { max: top }),
    splitNumber: wantedSteps,
    ...(interval === undefined ? {} : { interval }),
    ...(decimals === 0 && (unit === 'short' || unit === 'none') ? { minInterval: 1 } : {}),
    axisLabel: {
      color: page.muted,
      fontSize: 11,
      formatter: (value: number) => formatValue(value, unit, decimals),
    },
    splitLine: { lineStyle: { color: page.border } },
  };
}

/** The distance of two ticks, where the chart's own choice, which is of tens, would not be round in the unit. */
export function niceInterval(unit: string | undefined, highest: number): number | undefined {
  const steps = niceSteps[unit ?? ''];
  if (steps === undefined || highest <= (roundBelow[unit ?? ''] ?? 0)) return undefined;
  return steps.find((step) => highest / step <= wantedSteps + 1) ?? undefined;
}
