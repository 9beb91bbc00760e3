import type { Capability } from '../capability.ts';
import { DeadLetterOffice } from './dead-letter-office.ts';
import { DeadLetters } from './dead-letters.ts';

/** Messages that were given up on: looked at, replayed, discarded. */
export const deadLetters: Capability<unknown> = {
  name: 'dead-letters',
  http: async () => (await import('./dead-letters.http.ts')).httpPart,
  open: ({ database, metrics, clock, engine: { bodies, publisher } }) => {
    const ledger = new DeadLetters(database);
    const office = new DeadLetterOffice({ ledger, bodies, publisher, metrics, clock });
    return { services: [[DeadLetterOffice, office]] };
  },
};
