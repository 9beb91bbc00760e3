import type { Capability } from '../capability.ts';

/** Pipelines, seen: what goes in, what comes out, and the stages between. */
export const pipelines = {
  name: 'pipelines',
  http: async () => (await import('./pipelines.http.ts')).httpPart,
  open: async () => (await import('./open-pipelines.ts')).openPipelines,
} as const satisfies Capability;
