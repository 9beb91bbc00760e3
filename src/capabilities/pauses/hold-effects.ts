import { Parked } from '../../engine/parked.ts';
import { describeHold, type Hold, parkedForHold, stopsRequest, stopsWork } from '../../engine/ledger/hold.ts';
import type { HeldWork } from '../../engine/ledger/hold.ts';
import type { CallFacts } from '../../engine/calls/usage-record-of-call.ts';

/* What standing holds mean for what a process has in hand; pure. Claims and reservations are the ledger's to refuse. */

/** Whether the stage begins nothing: it is held, or everything is. */
export function isStagePaused(holds: readonly Hold[], stage: string): boolean {
  return holds.some(({ scope, value }) => scope === 'all' || (scope === 'stage' && value === stage));
}

/** Why a handler in hand must end now: a hold on its work that aborts. */
export function abortOfWork(holds: readonly Hold[], work: HeldWork): Parked | undefined {
  return abortBy(holds.find((hold) => hold.aborts && stopsWork(hold, work)));
}

/**
 * Why a call in the air must end now: a hold that aborts, on its model or provider, or, outside a stage, on whose work it
 * is. A call of a stage ends with its handler.
 */
export function abortOfCall(
  holds: readonly Hold[],
  { provider, model, owner }: Pick<CallFacts, 'provider' | 'model' | 'owner'>,
): Parked | undefined {
  return abortBy(
    holds.find(
      (hold) =>
        hold.aborts &&
        (stopsRequest(hold, { provider, model }) ||
          (owner.message === undefined && stopsWork(hold, { stage: '', origin: owner.origin }))),
    ),
  );
}

/** What came and what went between two looks. */
export function changesOf(
  before: readonly Hold[],
  after: readonly Hold[],
): { readonly placed: readonly Hold[]; readonly lifted: readonly Hold[] } {
  const [old, present] = [new Set(before.map(({ id }) => id)), new Set(after.map(({ id }) => id))];
  return {
    placed: after.filter(({ id }) => !old.has(id)),
    lifted: before.filter(({ id }) => !present.has(id)),
  };
}

function abortBy(hold: Hold | undefined): Parked | undefined {
  if (hold === undefined) return undefined;
  return new Parked(`An operator has stopped ${describeHold(hold)} and what was in the air.`, {
    reason: 'hold',
    parkedFor: parkedForHold(hold.id),
  });
}
