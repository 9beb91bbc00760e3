import { EventWaits } from '../../engine/ledger/event-waits.ts';
import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { WaitService } from './wait-service.ts';

/** Composes what completes waits. */
export function openWaits({
  database,
  clock,
  engine: { registry, bodies, publisher },
}: CapabilityContext<unknown>): CapabilityParts {
  const waits = new EventWaits(database);
  return { services: [[WaitService, new WaitService({ waits, registry, bodies, publisher, clock })]] };
}
