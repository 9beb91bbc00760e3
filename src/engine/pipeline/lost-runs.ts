import { AppError } from '../../kernel/app-error.ts';

/**
 * Throws MILLRACE_RUNS_LOST for a message whose latest runs, as many as its stage allows, were lost with their workers: one
 * that kills a worker would otherwise kill one after the other, with all that they have in the air.
 */
export function refuseAfterLosses(lostRuns: number, maxLostRuns: number): void {
  if (lostRuns < maxLostRuns) return;
  throw new AppError(
    'MILLRACE_RUNS_LOST',
    `${lostRuns} runs of this message in a row were lost: each time the worker died, stood still or was cut off`,
  );
}
