import { Parked } from '../../engine/parked.ts';
import {
  describeBlock,
  type Block,
  parkedForPause,
  stopsRequest,
  stopsWork,
} from '../../engine/ledger/block.ts';
import type { BlockableWork } from '../../engine/ledger/block.ts';
import type { AttributedCall } from '../../engine/ledger/attributed-call.ts';

/* What standing pauses mean for what a process works on; pure. Claims and reservations are the ledger's to refuse. */

/** Whether the stage begins nothing: it is paused, or everything is. */
export function isStagePaused(pauses: readonly Block[], stage: string): boolean {
  return pauses.some(({ scope, value }) => scope === 'all' || (scope === 'stage' && value === stage));
}

/** Why a handler that runs must end now: a pause on its work that aborts. */
export function abortOfWork(pauses: readonly Block[], work: BlockableWork): Parked | undefined {
  return abortBy(pauses.find((pause) => pause.aborts && stopsWork(pause, work)));
}

/**
 * Why a call under way must end now: a pause that aborts, on its model or provider, or, outside a stage, on whose work it
 * is. A call of a stage ends with its handler.
 */
export function abortOfCall(
  pauses: readonly Block[],
  { provider, model, origin, message }: Pick<AttributedCall, 'provider' | 'model' | 'origin' | 'message'>,
): Parked | undefined {
  return abortBy(
    pauses.find(
      (pause) =>
        pause.aborts &&
        (stopsRequest(pause, { provider, model }) ||
          (message === undefined && stopsWork(pause, { stage: '', origin }))),
    ),
  );
}

/** What came and what went between two looks. */
export function changesOf(
  before: readonly Block[],
  after: readonly Block[],
): { readonly placed: readonly Block[]; readonly resumed: readonly Block[] } {
  const [old, present] = [new Set(before.map(({ id }) => id)), new Set(after.map(({ id }) => id))];
  return {
    placed: after.filter(({ id }) => !old.has(id)),
    resumed: before.filter(({ id }) => !present.has(id)),
  };
}

function abortBy(pause: Block | undefined): Parked | undefined {
  if (pause === undefined) return undefined;
  return new Parked(`An operator has stopped ${describeBlock(pause)} and what was running.`, {
    reason: 'pause',
    parkedFor: parkedForPause(pause.id),
  });
}
