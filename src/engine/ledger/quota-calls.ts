import { jsonRows, placedJsonRows } from '../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { GroupCommit } from '../../kernel/group-commit.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { readAmount } from '../../kernel/money.ts';
import { openQuotaWindows, reserveQuotaCalls, settleQuotaCalls } from './quota-sql.ts';
import { type CallRow, type QuotaCallRow, quotaReservationRow, settlementRow } from './call-rows.ts';
import { ledgerGroup, type LedgerGroupOptions } from './ledger-group.ts';
import type { Reservation, ReserveOutcome } from './reservation.ts';
import type { SettledCall } from './settlement.ts';

interface QuotaCallsOptions extends LedgerGroupOptions {
  readonly database: SqlDatabase;
}

interface DecidedRow {
  readonly id: Uuid;
  readonly kind: 'reserved' | 'lost' | 'blocked' | 'over_quota' | 'no_window';
  readonly quota: string | null;
  readonly limit_amount: string | null;
  readonly window_ends_at: Date | null;
  readonly block: Uuid | null;
  readonly at: Date | null;
}

/** What a round of deciding says; without a window the call is asked for again once there is one. */
type Decided = ReserveOutcome | { readonly kind: 'no_window' };

/** A window may turn between the statement that makes its row and the one that needs it. */
const maxRounds = 4;

/** Calls under quotas: groups of their own, so that calls under none keep their shorter statements. */
export class QuotaCalls {
  readonly #database: SqlDatabase;
  readonly #reserve: GroupCommit<QuotaCallRow, Decided>;
  readonly #open: GroupCommit<QuotaCallRow, true>;
  readonly #settle: GroupCommit<CallRow, boolean>;

  constructor({ database, ...groups }: QuotaCallsOptions) {
    this.#database = database;
    this.#reserve = ledgerGroup('reserve', groups, (items) => this.#writeReservations(items));
    this.#open = ledgerGroup('reserve', groups, (items) => this.#openWindows(items));
    this.#settle = ledgerGroup('settle', groups, (items) => this.#writeSettlements(items));
  }

  async reserve(reservation: Reservation): Promise<ReserveOutcome> {
    const row = quotaReservationRow(reservation);
    // A round is one statement: a group that is refused has written nothing, and may be halved (see GroupCommit).
    for (let round = 1; ; round += 1) {
      invariant(round <= maxRounds, 'the windows of quotas stay open while calls are reserved');
      const decided = await this.#reserve.submit(row);
      if (decided.kind !== 'no_window') return decided;
      await this.#open.submit(row);
    }
  }

  async settle(settlement: SettledCall): Promise<boolean> {
    return await this.#settle.submit(settlementRow(settlement));
  }

  async #writeReservations(items: readonly QuotaCallRow[]): Promise<readonly Decided[]> {
    const decided = await this.#decide(items);
    const outcomes = new Map([...decided].map(([id, row]) => [id, outcomeOf(row)]));
    return items.map(({ id }) => {
      const outcome = outcomes.get(id) ?? { kind: 'lease_expired' };
      outcomes.delete(id); // the same call twice in one group: the second is not to be sent
      return outcome;
    });
  }

  async #decide(items: readonly QuotaCallRow[]): Promise<ReadonlyMap<Uuid, DecidedRow>> {
    const { rows } = await this.#database.query<DecidedRow>(reserveQuotaCalls, [
      placedJsonRows(
        items.map(({ row }) => row),
        'turn',
      ),
    ]);
    return new Map(rows.map((row) => [row.id, row]));
  }

  async #openWindows(items: readonly QuotaCallRow[]): Promise<readonly true[]> {
    const names = new Set(items.flatMap(({ quotas }) => quotas));
    await this.#database.query(openQuotaWindows, [[...names]]);
    return items.map(() => true);
  }

  async #writeSettlements(items: readonly CallRow[]): Promise<readonly boolean[]> {
    const { rows } = await this.#database.query<{ id: Uuid }>(settleQuotaCalls, [
      jsonRows(items.map(({ row }) => row)),
    ]);
    const settled = new Set(rows.map((row) => row.id));
    return items.map((item) => settled.delete(item.id));
  }
}

function outcomeOf({
  kind,
  quota,
  limit_amount: limit,
  window_ends_at: windowEndsAt,
  block,
  at,
}: DecidedRow): Decided {
  if (kind === 'no_window') return { kind: 'no_window' };
  if (kind === 'reserved') {
    invariant(at !== null, 'a call that is reserved was so at a time');
    return { kind: 'reserved', at };
  }
  if (kind === 'lost') return { kind: 'lease_expired' };
  if (block !== null) return { kind: 'blocked', block };
  invariant(
    quota !== null && limit !== null && windowEndsAt !== null,
    'a call that does not fit has a quota that it does not fit',
  );
  return { kind: 'over_quota', quota, limit: readAmount(limit), windowEndsAt };
}
