import type { Capability } from '../capability.ts';

/** Prices of calls: computing them again. */
export const prices = {
  name: 'prices',
  http: async () => (await import('./prices.http.ts')).httpPart,
  open: async () => (await import('./open-prices.ts')).openPrices,
} as const satisfies Capability;
