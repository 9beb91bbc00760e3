import type { Capability } from '../capability.ts';
import { requestErrors } from './request-errors.ts';
import { requestMetrics } from './request-metrics.ts';
import { requestNames } from './request-names.ts';
import { requestsSettings } from './requests-settings.ts';

/** Pipelines that are asked over HTTP: accepted at once, answered when the work has ended, never run twice for one intent. */
export const requests = {
  name: 'requests',
  configuration: { requests: requestsSettings },
  names: requestNames,
  errors: requestErrors,
  metrics: requestMetrics,
  http: async () => (await import('./requests.http.ts')).httpPart,
  open: async () => (await import('./open-requests.ts')).openRequests,
} as const satisfies Capability;
