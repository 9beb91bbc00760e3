import type { Capability } from '../capability.ts';
import { ingestNames } from './ingest-names.ts';
import { usageMetrics } from './usage/usage-metrics.ts';

/** Messages from outside, over HTTP, and usage that happened elsewhere. */
export const ingest = {
  name: 'ingest',
  names: ingestNames,
  metrics: usageMetrics,
  http: async () => (await import('./ingest.http.ts')).httpPart,
  open: async () => (await import('./open-ingest.ts')).openIngest,
} as const satisfies Capability;
