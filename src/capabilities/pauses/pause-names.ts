import type { ClosedNames } from '../capability.ts';

export const pauseNames = {
  jobs: ['keep_holds', 'watch_holds'],
  vitalJobs: ['keep_holds'],
} as const satisfies Partial<ClosedNames>;
