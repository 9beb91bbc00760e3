import type { ClosedNames } from '../capability.ts';

/** What prices add to the closed lists of names. */
export const priceNames = { jobs: ['price_overrides'] } as const satisfies Partial<ClosedNames>;
