import type { Capability } from '../capability.ts';
import { scheduleErrors } from './schedule-errors.ts';
import { scheduleMetrics } from './schedule-metrics.ts';
import { scheduleNames } from './schedule-names.ts';
import { scheduleSettings } from './schedule-settings.ts';

/** Messages that are sent again and again: at times of a calendar, or in even steps. */
export const schedules = {
  name: 'schedules',
  configuration: { schedules: scheduleSettings },
  errors: scheduleErrors,
  metrics: scheduleMetrics,
  names: scheduleNames,
  http: async () => (await import('./schedules.http.ts')).httpPart,
  open: async () => (await import('./open-schedules.ts')).openSchedules,
} as const satisfies Capability;
