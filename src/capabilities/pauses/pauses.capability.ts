import type { Capability } from '../capability.ts';
import { pauseMetrics } from './pause-metrics.ts';
import { pauseNames } from './pause-names.ts';

/** Kill switches: the service for operators, the watcher of every process, the releaser of the maintenance role. */
export const pauses = {
  name: 'pauses',
  metrics: pauseMetrics,
  names: pauseNames,
  http: async () => (await import('./pauses.http.ts')).httpPart,
  status: async () => (await import('./pause-status.ts')).pauseStatus,
  open: async () => (await import('./open-pauses.ts')).openPauses,
} as const satisfies Capability;
