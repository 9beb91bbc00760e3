import { z } from 'zod';

/*
 * Numbers that people write: in query strings, options, environment variables and configuration files. Decimal digits
 * alone are read; what JavaScript takes for a number besides ("0x10", "1e2", " 5 ", "", true, null) is refused, since
 * nobody who wrote it can be sure of what it became.
 */

const wholePattern = /^\d{1,16}$/;
const decimalPattern = /^\d{1,16}(?:\.\d{1,16})?$/;

/** The whole number in a text of decimal digits; undefined for any other text. */
export function readWholeNumber(text: string): number | undefined {
  return wholePattern.test(text) ? Number(text) : undefined;
}

/** The number in a text of decimal digits with at most one point among them; undefined for any other text. */
export function readDecimalNumber(text: string): number | undefined {
  return decimalPattern.test(text) ? Number(text) : undefined;
}

/** A schema of whole numbers, as numbers or in digits. */
export function wholeNumberOrText(error?: string): z.ZodType<number, number | string> {
  return z
    .union([z.int(), z.string().regex(wholePattern).transform(Number)], {
      error: error ?? 'must be a whole number in decimal digits',
    })
    .pipe(z.int());
}

/** A schema of numbers, as numbers or in decimal digits. */
export function decimalOrText(): z.ZodType<number, number | string> {
  return z
    .union([z.number(), z.string().regex(decimalPattern).transform(Number)], {
      error: 'must be a number in decimal digits',
    })
    .pipe(z.number());
}
