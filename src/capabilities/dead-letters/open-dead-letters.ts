import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { showDeadLetters, startDeadLetterSeries } from './dead-letter-gauges.ts';
import { DeadLetterOffice } from './dead-letter-office.ts';
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
  const office = new DeadLetterOffice({ ledger, bodies, publisher, metrics, clock });
  return {
    services: [[DeadLetterOffice, office]],
    startSeries: (stages) => startDeadLetterSeries(metrics, stages),
    readGauges: (reading) => showDeadLetters(metrics, reading),
  };
}
