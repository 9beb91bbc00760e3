import type { Capability } from '../capability.ts';
import { batchErrors } from './batch-errors.ts';
import { batchMetrics } from './batch-metrics.ts';
import { batchNames } from './batch-names.ts';
import { batchesSettings } from './batches-settings.ts';

/** Many items through one pipeline, with one end: submitted, run in chunks, resumed after any crash, reported. */
export const batches = {
  name: 'batches',
  configuration: { batches: batchesSettings },
  names: batchNames,
  errors: batchErrors,
  metrics: batchMetrics,
  status: async () => (await import('./mode/mode-status.ts')).modeStatus,
  http: async () => (await import('./batches.http.ts')).httpPart,
  open: async () => (await import('./open-batches.ts')).openBatches,
} as const satisfies Capability;
