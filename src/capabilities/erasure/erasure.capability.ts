import type { Capability } from '../capability.ts';
import { erasureErrors } from './erasure-errors.ts';
import { erasureNames } from './erasure-names.ts';

/** Erasing what belongs to a person, a customer or a team. */
export const erasure = {
  name: 'erasure',
  errors: erasureErrors,
  names: erasureNames,
  http: async () => (await import('./erasure.http.ts')).httpPart,
  status: async () => (await import('./erasure-status.ts')).erasureStatus,
  open: async () => (await import('./open-erasure.ts')).openErasure,
} as const satisfies Capability;
