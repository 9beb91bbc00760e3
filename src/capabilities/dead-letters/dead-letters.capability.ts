import type { Capability } from '../capability.ts';
import {
  deadLetterListSchema,
  deadLetterSchema,
  discardResultSchema,
  replayResultSchema,
} from './dead-letter-documents.ts';
import { DeadLetterOffice } from './dead-letter-office.ts';
import { discardRequestSchema, replayRequestSchema } from './dead-letter-requests.ts';
import { DeadLetters } from './dead-letters.ts';
import { DeadLettersController } from './dead-letters.controller.ts';

/** Messages that were given up on: looked at, replayed, discarded. */
export const deadLetters: Capability<unknown> = {
  name: 'dead-letters',
  http: {
    controllers: [DeadLettersController],
    services: [DeadLetterOffice],
    answers: {
      DeadLetterList: deadLetterListSchema,
      DeadLetter: deadLetterSchema,
      DeadLetterReplayResult: replayResultSchema,
      DeadLetterDiscardResult: discardResultSchema,
    },
    requests: {
      DeadLetterReplayRequest: replayRequestSchema,
      DeadLetterDiscardRequest: discardRequestSchema,
    },
  },
  open: ({ database, metrics, clock, engine: { bodies, publisher } }) => {
    const ledger = new DeadLetters(database);
    const office = new DeadLetterOffice({ ledger, bodies, publisher, metrics, clock });
    return { services: [[DeadLetterOffice, office]] };
  },
};
