import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';

/** The most emissions in a row, unless configured otherwise. */
export const defaultMaxHops = 100;

const shownFirst = 4;
const shownLast = 16;

/**
 * Throws MILLRACE_MESSAGE_HOPS_EXCEEDED for a message that stands further from the admitted one than is allowed: a
 * stage that emits to itself, directly or around, would go on for ever. Before its handler runs, so that nothing is
 * paid for it; with a larger bound it can be replayed.
 */
export async function refuseBeyondHops(
  { envelope, hops }: LeasedMessage,
  maxHops: number,
  pathTo: (id: Uuid, maxStages: number) => Promise<readonly string[]>,
): Promise<void> {
  if (hops <= maxHops) return;
  const path = shortened(await pathTo(envelope.id, hops + 1));
  const problem = `is ${hops} emissions away from the admitted message, more than ${maxHops}: ${path}`;
  throw new AppError('MILLRACE_MESSAGE_HOPS_EXCEEDED', `The message ${problem}`, {
    faults: [{ field: 'hops', problem }],
  });
}

function shortened(stages: readonly string[]): string {
  if (stages.length <= shownFirst + shownLast) return stages.join(' → ');
  const left = stages.length - shownFirst - shownLast;
  return [...stages.slice(0, shownFirst), `… ${left} more …`, ...stages.slice(-shownLast)].join(' → ');
}
