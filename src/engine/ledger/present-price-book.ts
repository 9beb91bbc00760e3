import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { readOverlayFile } from '../../pricing/overlay.ts';
import { packagedPriceBook } from '../../pricing/packaged-price-book.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import { PriceCatalogues } from './price-catalogues.ts';
import { catalogueOf, PriceOverrides } from './price-overrides.ts';

/**
 * The price book by which the hosts of an installation price at this moment: the configured overlay, what operators have set, and the catalogue that
 * they have taken. For commands, which end before it can change. Throws MILLRACE_CONFIG_INVALID for an overlay that cannot be read.
 */
export async function presentPriceBook(
  database: SqlDatabase,
  overlayFile: string | undefined,
): Promise<PriceBook> {
  const overrides = catalogueOf((await new PriceOverrides(database).read()).overrides);
  const catalogue = await new PriceCatalogues(database).present();
  return packagedPriceBook({
    ...(overlayFile === undefined ? {} : { overlay: await readOverlayFile(overlayFile) }),
    ...(overrides === undefined ? {} : { overrides }),
    ...(catalogue === undefined ? {} : { catalogue }),
  });
}
