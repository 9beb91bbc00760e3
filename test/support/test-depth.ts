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
