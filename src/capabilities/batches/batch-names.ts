import type { ClosedNames } from '../capability.ts';

/** What batches add to the closed lists of names. */
export const batchNames = {
  jobs: ['batches', 'prune_batches'],
  bounds: ['batch_reports'],
} as const satisfies Partial<ClosedNames>;
