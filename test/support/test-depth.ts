/*
 * How much of what is drawn at random, and which of the long runs, a test run contains: those that a change waits for, or
 * all (`MILLRACE_TEST_DEPTH=full`).
 */

const given = process.env['MILLRACE_TEST_DEPTH'];
if (given !== undefined && given !== 'full')
  throw new Error(`MILLRACE_TEST_DEPTH is "full" or not set, not "${given}"`);

/** Whether long runs are wanted as well. */
export const isFullDepth = given === 'full';

/** How often to draw. */
export function depth(counts: { readonly usual: number; readonly full: number }): number {
  return isFullDepth ? counts.full : counts.usual;
}

const givenSeed = process.env['MILLRACE_TEST_SEED'];
if (givenSeed !== undefined && !/^\d{1,9}$/.test(givenSeed))
  throw new Error(`MILLRACE_TEST_SEED is a whole number or not set, not "${givenSeed}"`);

/** What long runs draw follows from this number: another one (`MILLRACE_TEST_SEED`) draws something else, the same repeats a failure. */
export const testSeed = Number(givenSeed ?? '7');
