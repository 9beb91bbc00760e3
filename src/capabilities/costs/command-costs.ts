import { presentPriceBook } from '../../engine/ledger/present-price-book.ts';
import type { CommandContext } from '../../terminal/command-context.ts';
import type { Installation } from '../../terminal/installation.ts';
import { CostReports } from './cost-reports.ts';
import type { CostSettings } from './cost-settings.ts';

/** What the commands of costs read of the configuration. */
export interface CostCommandSettings {
  readonly costs: CostSettings;
  readonly models: {
    readonly priceOverlay?: string | undefined;
    readonly providers: Readonly<Record<string, { readonly priceProvider?: string | undefined }>>;
  };
}

export type CostContext = CommandContext<CostCommandSettings>;

/** Cost reports in a command, with the time at which it is asked. Throws what opening the stores throws. */
export async function withCostReports<Result>(
  { settings, withStores }: Installation<CostCommandSettings>,
  work: (reports: CostReports, now: Date) => Promise<Result>,
): Promise<Result> {
  const { reports: limits, baseline } = settings.costs;
  const { priceOverlay: overlay, providers } = settings.models;
  return withStores(async ({ database, columns, clock }) => {
    const book = await presentPriceBook(database, overlay);
    return await work(
      new CostReports({
        store: columns,
        limits,
        timeZone: limits.timeZone,
        hourFloorUsd: baseline.hourFloorUsd,
        findPrice: (question) =>
          book.findPrice({
            ...question,
            provider: providers[question.provider]?.priceProvider ?? question.provider,
          }),
      }),
      clock.now(),
    );
  });
}
