import type { ClosedNames } from '../capability.ts';

export const triggerNames = {
  jobs: ['triggers', 'unreadable_events'],
  vitalJobs: ['triggers'],
} as const satisfies Partial<ClosedNames>;
