import { AppError } from '../kernel/app-error.ts';
import type { ProviderConfig } from '../engine/providers/provider-config.ts';
import { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { readOverlayFile } from '../pricing/overlay.ts';
import { LivePriceBook } from '../pricing/live-price-book.ts';
import type { PriceBook } from '../pricing/price-book.ts';
import { catalogueProviders } from '../pricing/provider-names.ts';
import type { Configuration } from './configuration.ts';
import { configuredProviders } from './configured-providers.ts';

/** The configured providers, and those given besides, with the prices that apply to them. */
export async function configuredModels(
  configuration: Configuration,
  more: Readonly<Record<string, ProviderConfig>> = {},
  clock: Clock = systemClock,
): Promise<{ readonly providers: ProviderRegistry; readonly pricer: LivePriceBook }> {
  const { priceOverlay } = configuration.models;
  const book = new LivePriceBook(
    priceOverlay === undefined ? {} : { overlay: await readOverlayFile(priceOverlay) },
  );
  checkPriceProviders(configuration, book.present);
  return {
    providers: await ProviderRegistry.open({ ...configuredProviders(configuration), ...more }, clock),
    pricer: book,
  };
}

/** A provider that follows prices which nobody has would be unpriced for good. */
function checkPriceProviders({ models }: Configuration, book: PriceBook): void {
  const faults = Object.entries(models.providers).flatMap(([name, { priceProvider }]) =>
    priceProvider === undefined || book.hasPricesOf(priceProvider)
      ? []
      : [
          {
            field: `models.providers.${name}.priceProvider`,
            problem: `there are no prices of "${priceProvider}"; there are of ${catalogueProviders.join(', ')}, and by the names of \`millrace prices list\``,
          },
        ],
  );
  if (faults.length === 0) return;
  const listed = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  throw new AppError('MILLRACE_CONFIG_INVALID', `The model providers are not valid: ${listed}`, { faults });
}
