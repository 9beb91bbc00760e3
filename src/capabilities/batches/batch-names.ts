import type { ClosedNames } from '../capability.ts';

/** What batches add to the closed lists of names. */
export const batchNames = {
  jobs: [
    'batches',
    'prune_batches',
    'batch_quality',
    'batch_notices',
    'provider_batches',
    'forget_provider_batches',
  ],
  bounds: ['batch_reports'],
  vitalJobs: ['provider_batches'],
  parkReasons: ['provider_batch'],
} as const satisfies Partial<ClosedNames>;
