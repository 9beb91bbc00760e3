import type { ClosedNames } from '../capability.ts';

export const scheduleNames = {
  jobs: ['schedules', 'schedule_runs'],
  vitalJobs: ['schedules'],
  bounds: ['schedules'],
} as const satisfies Partial<ClosedNames>;
