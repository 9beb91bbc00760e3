import { z } from 'zod';
import { isStorableText, storableProblem } from '../kernel/storable-text.ts';

/* Why somebody changed something, as a request or a command gives it. It stands in the audit. */

const maxReasonLength = 1_000;
const says = 'says why';
const described = 'Why; it stands in the audit.';

const givenReason = z
  .string({ error: says })
  .trim()
  .max(maxReasonLength, `has at most ${maxReasonLength} characters`)
  .refine(isStorableText, storableProblem);

/** A reason that has to be given: 1 to 1,000 characters beside blanks around it. */
export const requiredReason = givenReason.min(1, says).describe(described);

/** A reason that may be left out, and is empty then: at most 1,000 characters. */
export const optionalReason = givenReason.default('').describe(described);
