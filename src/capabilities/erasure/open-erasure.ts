import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { ErasureService } from './erasure-service.ts';
import { erasureServiceOver } from './erasure-service-over.ts';
import type { erasureNames } from './erasure-names.ts';

/** Composes erasures and the job that goes on with them. */
export function openErasure(
  context: CapabilityContext<unknown>,
): CapabilityParts<NameOf<typeof erasureNames, 'jobs'>> {
  const service = erasureServiceOver(context, context);
  return {
    services: [[ErasureService, service]],
    jobs: [{ name: 'erasures', intervalMs: 2000, runsIn: 'maintenance', turn: () => service.goOn() }],
  };
}
