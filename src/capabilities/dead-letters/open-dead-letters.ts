import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { showDeadLetters } from './dead-letter-gauges.ts';
import { DeadLetterService } from './dead-letter-service.ts';
import { DeadLetters } from './dead-letters.ts';
import type { deadLetterMetrics } from './dead-letter-metrics.ts';

/** Composes what is done about dead letters. */
export function openDeadLetters({
  database,
  metrics,
  clock,
  engine: { bodies, publisher },
}: CapabilityContext<unknown, typeof deadLetterMetrics>): CapabilityParts {
  const ledger = new DeadLetters(database);
  const service = new DeadLetterService({ ledger, bodies, publisher, metrics, clock });
  return {
    services: [[DeadLetterService, service]],
    readGauges: (reading) => showDeadLetters(metrics, reading),
  };
}
