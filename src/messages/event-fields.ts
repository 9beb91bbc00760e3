import { z } from 'zod';
import { type Duration, parseDurationMs } from '../kernel/duration.ts';
import { isPrintableName, notPrintable } from '../kernel/printable-name.ts';
import { isReservedSource, reservedSourceProblem } from './reserved-source.ts';

function isDuration(written: string): written is Extract<Duration, string> {
  return parseDurationMs(written) !== undefined;
}

const maxTextLength = 512;

const text = z.string().min(1).max(maxTextLength).refine(isPrintableName, notPrintable);

// RFC 3986's characters: a URI-reference has no white space, controls, or unescaped delimiters.
const uriReference = text.regex(/^[^\s<>"{}|\\^`\p{Cc}]+$/u, 'must be a URI-reference');

/** The fields that every form of a message from outside has, however it names them. */
export const eventFields = {
  startAt: z.iso.datetime({ offset: true, error: 'must be a time as of RFC 3339, with its offset' }),
  delay: z.string().max(32).refine(isDuration, 'must be a duration such as "90s", "2h" or "7d"'),
  text,
  uriReference,
  source: uriReference.refine((source) => !isReservedSource(source), reservedSourceProblem),
  schemaVersion: z
    .union(
      [
        z.int(),
        z
          .string()
          .regex(/^\d{1,9}$/)
          .transform(Number),
      ],
      'must be a whole number',
    )
    .refine((version) => version >= 1 && version <= 2_147_483_647, 'must be a whole number from 1'),
};
