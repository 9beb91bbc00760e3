import type { Capability } from '../capability.ts';

/** Messages from outside, over HTTP. */
export const ingest = {
  name: 'ingest',
  http: async () => (await import('./ingest.http.ts')).httpPart,
  open: async () => (await import('./open-ingest.ts')).openIngest,
} as const satisfies Capability;
