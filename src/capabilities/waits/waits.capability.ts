import type { Capability } from '../capability.ts';
import { waitErrors } from './wait-errors.ts';

/** Messages that wait for an outside event or for a person's approval, and their completion by token. */
export const waits = {
  name: 'waits',
  errors: waitErrors,
  http: async () => (await import('./waits.http.ts')).httpPart,
  open: async () => (await import('./open-waits.ts')).openWaits,
} as const satisfies Capability;
