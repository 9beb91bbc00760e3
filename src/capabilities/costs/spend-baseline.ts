import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { maxUsd, type Usd, usd } from '../../kernel/money.ts';
import type { CostMetrics } from './cost-metrics.ts';
import { readSpendHistory, type SpendHistory, spendDimensions } from './spend-baseline-query.ts';

/*
 * Spend against its own baseline: the last hour, and today so far, each over the mean of the same part of the previous
 * days. The floor stands for a smaller mean, so that cents are never ten times too many. Whoever has less history than the minimum is
 * not judged. The names with the highest ratios become a gauge; names that leave it disappear.
 */

export interface SpendBaselineSettings {
  /** Previous days that the mean is of. */
  readonly days: number;
  /** Fewer days of history give no ratio. */
  readonly minimumDays: number;
  /** Decimal dollars. */
  readonly hourFloorUsd: string;
  readonly dayFloorUsd: string;
}

/** How many times the usual a name spends. */
export interface SpendRatio {
  readonly dimension: SpendHistory['dimension'];
  readonly name: string;
  readonly ratio: number;
}

/** Names of each dimension in the gauge. */
const shownNames = 20;

/** The highest ratios of each dimension, highest first. */
export function spendRatios(
  histories: readonly SpendHistory[],
  settings: Pick<SpendBaselineSettings, 'minimumDays' | 'hourFloorUsd' | 'dayFloorUsd'>,
): readonly SpendRatio[] {
  const hourFloor = usd(settings.hourFloorUsd);
  const dayFloor = usd(settings.dayFloorUsd);
  const judged = histories
    .filter(({ knownDays }) => knownDays >= settings.minimumDays)
    .map(({ dimension, name, hourUsd, pastHoursUsd, dayUsd, pastDaysUsd, knownDays }) => ({
      dimension,
      name,
      ratio: Math.max(
        ratioOf(hourUsd, pastHoursUsd.dividedBy(knownDays), hourFloor),
        ratioOf(dayUsd, pastDaysUsd.dividedBy(knownDays), dayFloor),
      ),
    }));
  return spendDimensions.flatMap((dimension) =>
    judged
      .filter((ratio) => ratio.dimension === dimension)
      .toSorted((left, right) => right.ratio - left.ratio || (left.name < right.name ? -1 : 1))
      .slice(0, shownNames),
  );
}

function ratioOf(spentUsd: Usd, meanUsd: Usd, floorUsd: Usd): number {
  return spentUsd.dividedBy(maxUsd(meanUsd, floorUsd)).toNumber();
}

/** Reads spend from the column store into the gauge. */
export class SpendBaseline {
  readonly #options: {
    readonly store: ColumnStore;
    readonly metrics: CostMetrics;
    readonly clock: Clock;
    readonly settings: SpendBaselineSettings;
  };

  constructor(options: {
    readonly store: ColumnStore;
    readonly metrics: CostMetrics;
    readonly clock: Clock;
    readonly settings: SpendBaselineSettings;
  }) {
    this.#options = options;
  }

  /** Compares once. When the store fails, the gauge is emptied: with an old ratio an alert would go on, or never begin. */
  async compare(): Promise<void> {
    const { store, metrics, clock, settings } = this.#options;
    try {
      const histories = await readSpendHistory(store, {
        now: clock.now(),
        days: settings.days,
        hourFloorUsd: usd(settings.hourFloorUsd),
        dayFloorUsd: usd(settings.dayFloorUsd),
      });
      metrics.replace(
        'spend_over_baseline_ratio',
        spendRatios(histories, settings).map(({ dimension, name, ratio }) => ({
          labels: { dimension, name },
          value: ratio,
        })),
      );
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** Empties the gauge: another process compares now. */
  forget(): void {
    this.#options.metrics.replace('spend_over_baseline_ratio', []);
  }
}
