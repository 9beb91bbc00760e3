import type { Capability } from '../capability.ts';
import { priceErrors } from './price-errors.ts';
import { priceNames } from './price-names.ts';

/** Prices of calls: those that operators set, what a call cost, and pricing calls anew. */
export const prices = {
  name: 'prices',
  names: priceNames,
  errors: priceErrors,
  status: async () => (await import('./overrides/override-status.ts')).priceStatus,
  http: async () => (await import('./prices.http.ts')).httpPart,
  open: async () => (await import('./open-prices.ts')).openPrices,
} as const satisfies Capability;
