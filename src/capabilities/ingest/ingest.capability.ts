import type { Capability } from '../capability.ts';
import { EventIntake } from './event-intake.ts';

/** Messages from outside, over HTTP. */
export const ingest: Capability<unknown> = {
  name: 'ingest',
  http: async () => (await import('./ingest.http.ts')).httpPart,
  open: ({ engine: { admissions } }) => ({ services: [[EventIntake, new EventIntake(admissions)]] }),
};
