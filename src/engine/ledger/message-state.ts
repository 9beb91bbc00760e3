/*
 * A message's life. One row, five states; the last three are ends.
 *
 *   (admit, emit) ─► pending ─► leased ─► completed       finish: result and emissions in the same transaction
 *                      ▲  │       │ ├───► dead_lettered   given up on
 *                      │  │       │ │          └────────► pending, by an operator's replay only
 *                      │  │       │ └───► cancelled
 *                      │  └───────┼─────► cancelled       before anybody took it
 *                      └──────────┘ retry later, release, or the lease ran out
 *
 * An end is left in one way only: an operator replays a dead letter. The same row lives again, so that it still comes
 * to one end, and what its steps paid for is found in its journal.
 *
 * Leasing raises the fencing token. Whoever ends or returns the message must show the fencing token of the lease it holds:
 * a worker that let its lease expire can change nothing any more, however late it goes on.
 */

export const messageStates = ['pending', 'leased', 'completed', 'dead_lettered', 'cancelled'] as const;
export type MessageState = (typeof messageStates)[number];

const successors: Readonly<Record<MessageState, readonly MessageState[]>> = {
  pending: ['leased', 'cancelled'],
  leased: ['pending', 'completed', 'dead_lettered', 'cancelled'],
  completed: [],
  dead_lettered: ['pending'],
  cancelled: [],
};

/** Whether a message may go from one state straight to the other. */
export function mayBecome(from: MessageState, to: MessageState): boolean {
  return successors[from].includes(to);
}

/** Whether the message has come to its one end: nothing happens to it any more by itself. */
export function hasEnded(state: MessageState): boolean {
  return state !== 'pending' && state !== 'leased';
}
