import { AppError } from '../kernel/app-error.ts';
import { GenaiPricesCatalogue } from './catalogue.genai-prices.ts';
import type { ReadCatalogue } from './catalogue-file.ts';
import type { PriceOverlay } from './overlay.ts';
import { packagedOverlays } from './packaged-overlay.ts';
import { PriceBook } from './price-book.ts';
import { catalogueProviders, priceProviderOf } from './provider-names.ts';

export interface PackagedPriceBookOptions {
  /** The operator's own prices; they come first. */
  readonly overlay?: PriceOverlay;
  /** Prices that operators have set; they come after the own ones. */
  readonly overrides?: PriceOverlay;
  /** A catalogue in place of the packaged one. */
  readonly catalogue?: ReadCatalogue;
  /** Configured provider → catalogue provider whose prices it follows. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/**
 * The price book that the program runs with: own overlay, overrides, packaged overlays, packaged catalogue.
 * Throws MILLRACE_CONFIG_INVALID when an alias names no provider of the catalogue.
 */
export function packagedPriceBook({
  overlay,
  overrides,
  catalogue: read,
  aliases = {},
}: PackagedPriceBookOptions = {}): PriceBook {
  const catalogue = new GenaiPricesCatalogue(read);
  const faults = Object.entries(aliases)
    .filter(([, follows]) => !catalogue.hasProvider(priceProviderOf(follows)))
    .map(([provider, follows]) => ({
      field: `prices.aliases.${provider}`,
      problem: `"${follows}" is not a provider of ${catalogue.name}; its providers are ${catalogueProviders.join(', ')}`,
    }));
  if (faults.length > 0) {
    const list = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
    throw new AppError('MILLRACE_CONFIG_INVALID', `The price aliases are not valid: ${list}`, { faults });
  }
  return new PriceBook({
    catalogues: [
      ...(overlay ? [overlay] : []),
      ...(overrides ? [overrides] : []),
      ...packagedOverlays(),
      catalogue,
    ],
    aliases,
  });
}
