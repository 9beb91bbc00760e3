import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { ErasureOffice } from './erasure-office.ts';
import { erasureOfficeOver } from './erasure-office-over.ts';
import type { erasureNames } from './erasure-names.ts';

/** Composes erasures and the job that goes on with them. */
export function openErasure(
  context: CapabilityContext<unknown>,
): CapabilityParts<NameOf<typeof erasureNames, 'jobs'>> {
  const office = erasureOfficeOver(context, context);
  return {
    services: [[ErasureOffice, office]],
    jobs: [{ name: 'erasures', intervalMs: 2000, runsIn: 'relay', turn: () => office.goOn() }],
  };
}
