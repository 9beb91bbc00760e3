import type { Capability } from '../capability.ts';
import { batchErrors } from './batch-errors.ts';
import { batchMetrics } from './batch-metrics.ts';
import { batchNames } from './batch-names.ts';
import { intakeSettings } from './intake/intake-settings.ts';

/** Many items through one pipeline, with one end: submitted, run in chunks, resumed after any crash, reported. */
export const batches = {
  name: 'batches',
  configuration: { batches: intakeSettings },
  names: batchNames,
  errors: batchErrors,
  metrics: batchMetrics,
  http: async () => (await import('./batches.http.ts')).httpPart,
  open: async () => (await import('./open-batches.ts')).openBatches,
} as const satisfies Capability;
