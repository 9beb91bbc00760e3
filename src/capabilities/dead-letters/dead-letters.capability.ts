import type { Capability } from '../capability.ts';
import { deadLetterMetrics } from './dead-letter-metrics.ts';

/** Messages that were given up on: looked at, replayed, discarded. */
export const deadLetters = {
  name: 'dead-letters',
  metrics: deadLetterMetrics,
  http: async () => (await import('./dead-letters.http.ts')).httpPart,
  open: async () => (await import('./open-dead-letters.ts')).openDeadLetters,
} as const satisfies Capability;
