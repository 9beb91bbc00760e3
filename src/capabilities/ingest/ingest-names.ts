import type { ClosedNames } from '../capability.ts';

/** What messages and usage from outside add to the closed lists of names. */
export const ingestNames = { jobs: ['told_usage_keys'] } as const satisfies Partial<ClosedNames>;
