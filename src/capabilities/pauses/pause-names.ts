import type { ClosedNames } from '../capability.ts';

export const pauseNames = {
  jobs: ['release_pauses', 'watch_pauses'],
  vitalJobs: ['release_pauses'],
} as const satisfies Partial<ClosedNames>;
