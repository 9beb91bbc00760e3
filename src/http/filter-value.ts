import { z } from 'zod';
import { isStorableText, storableProblem } from '../kernel/storable-text.ts';

/**
 * One value of a filter. A blank one is refused: it comes of a variable that is not set, and would find nothing, or what
 * has no name, without a word.
 */
export function filterValue(maxLength: number): z.ZodString {
  return z
    .string()
    .max(maxLength, `has at most ${maxLength} characters`)
    .refine(isStorableText, storableProblem)
    .refine((value) => value.trim() !== '', 'is empty: give a name, or leave the filter out for all of them');
}
