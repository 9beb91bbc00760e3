import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { EventIntake } from './event-intake.ts';

/** Composes the intake of events. */
export function openIngest({ engine: { admissions } }: CapabilityContext<unknown>): CapabilityParts {
  return { services: [[EventIntake, new EventIntake(admissions)]] };
}
