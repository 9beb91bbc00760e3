import type { Capability } from '../capability.ts';
import { limitMetrics } from './limit-metrics.ts';
import { limitNames } from './limit-names.ts';
import { limitSettings } from './limit-settings.ts';

/** Limits of requests and tokens of models, their circuits, and the retry budget. */
export const limits = {
  name: 'limits',
  configuration: { limits: limitSettings },
  metrics: limitMetrics,
  names: limitNames,
  http: async () => (await import('./limits.http.ts')).httpPart,
  status: async () => (await import('./limit-status.ts')).limitStatus,
  open: async () => (await import('./open-limits.ts')).openLimits,
} as const satisfies Capability;
