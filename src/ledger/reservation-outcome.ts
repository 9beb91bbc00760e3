import type { Uuid } from '../kernel/ids.ts';

/** What came of asking for a call. Only a reserved one may be sent. */
export type ReservationOutcome =
  | { readonly kind: 'reserved' }
  /** The lease has passed on, or this very call was made before. */
  | { readonly kind: 'lease_lost' }
  /** An operator has stopped it. */
  | { readonly kind: 'held'; readonly hold: Uuid };

/** A call that the ledger answered for; one that is missing has lost its lease. */
export interface ReservedRow {
  readonly id: Uuid;
  /** The hold that stops it; null when it is reserved. */
  readonly hold: Uuid | null;
}

/** One outcome for each item. The same id twice in one group is reserved once. */
export function outcomesOf(
  items: readonly { readonly id: Uuid }[],
  rows: readonly ReservedRow[],
): ReservationOutcome[] {
  const answered = new Map(rows.map((row) => [row.id, row]));
  return items.map(({ id }) => {
    const row = answered.get(id);
    if (row === undefined) return { kind: 'lease_lost' };
    if (row.hold !== null) return { kind: 'held', hold: row.hold };
    answered.delete(id);
    return { kind: 'reserved' };
  });
}
