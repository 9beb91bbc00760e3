import type { ClosedNames } from '../capability.ts';

/** What batches add to the closed lists of names. */
export const batchNames = {
  jobs: [
    'batches',
    'prune_batches',
    'batch_quality',
    'provider_batches',
    'forget_provider_batches',
    'shared_answers',
  ],
  bounds: ['batch_reports'],
  vitalJobs: ['provider_batches', 'shared_answers'],
  parkReasons: ['provider_batch', 'shared_answer'],
} as const satisfies Partial<ClosedNames>;
