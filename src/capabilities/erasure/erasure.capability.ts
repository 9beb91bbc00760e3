import type { Capability } from '../capability.ts';
import { ErasureOffice } from './erasure-office.ts';
import { erasureOfficeOver } from './erasure-office-over.ts';

/** Erasing what belongs to a person, a customer or a team. */
export const erasure: Capability<unknown> = {
  name: 'erasure',
  http: async () => (await import('./erasure.http.ts')).httpPart,
  open: (context) => {
    const office = erasureOfficeOver(context, context);
    return {
      services: [[ErasureOffice, office]],
      jobs: [{ name: 'erasures', intervalMs: 2000, runsIn: 'relay', turn: () => office.goOn() }],
    };
  },
};
