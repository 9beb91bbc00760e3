import { AppError } from '../../kernel/app-error.ts';

/**
 * Throws MILLRACE_MESSAGE_STALLED for a message whose latest runs, as many as its stage allows, were lost with their workers: one
 * that kills a worker would otherwise kill one after the other, with all that they have under way.
 */
export function refuseStalled(expiredLeases: number, maxExpiredLeases: number): void {
  if (expiredLeases < maxExpiredLeases) return;
  throw new AppError(
    'MILLRACE_MESSAGE_STALLED',
    `${expiredLeases} runs of this message in a row were lost: each time the worker died, stood still or was cut off`,
  );
}
