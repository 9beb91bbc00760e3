import type { Capability } from '../capability.ts';

/** What calls truly used, set by operators. */
export const corrections = {
  name: 'corrections',
  http: async () => (await import('./corrections.http.ts')).httpPart,
  open: async () => (await import('./open-corrections.ts')).openCorrections,
} as const satisfies Capability;
