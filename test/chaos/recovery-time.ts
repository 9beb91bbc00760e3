import type { HistoryEvidence } from './evidence.ts';
import type { Death } from './host-process.ts';
import { groupedBy } from './invariant-check.ts';

/** How long the messages that dead processes held waited until another took them, in milliseconds, sorted. */
export function recoveryTimes(
  history: readonly HistoryEvidence[],
  deaths: readonly Death[],
): readonly number[] {
  const diedAt = new Map(deaths.map(({ worker, atMs }) => [worker, atMs]));
  const times: number[] = [];
  const moves = history.filter(
    ({ from_state: from, to_state: to, from_fencing_token: before, to_fencing_token: after }) =>
      from !== to || before !== after,
  );
  for (const changes of groupedBy(moves, (change) => change.message_id).values()) {
    for (const [at, change] of changes.entries()) {
      if (change.to_state !== 'leased' || change.taken_by === null) continue;
      const next = changes[at + 1];
      const died = diedAt.get(change.taken_by);
      // Taken over from the dead: taken back when its lease had run out, and leased again.
      const again = changes[at + 2];
      if (
        died !== undefined &&
        next?.to_state === 'pending' &&
        next.at_ms > died &&
        again?.to_state === 'leased'
      )
        times.push(again.at_ms - died);
    }
  }
  return times.toSorted((left, right) => left - right);
}
