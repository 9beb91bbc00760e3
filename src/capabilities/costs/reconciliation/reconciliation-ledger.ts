import { z } from 'zod';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { formatUsd, type Usd, usd } from '../../../kernel/money.ts';
import type { BillProvider } from './bill.ts';
import type { DayState } from './difference.ts';
import {
  type DifferenceDocument,
  differenceSchema,
  type ReconciliationDocument,
  type RowDocument,
  rowSchema,
} from './reconciliation-document.ts';
import { partsOf } from './difference-parts.ts';
import * as sql from './reconciliation-sql.ts';
import { readStoredBill, type StoredBill } from './stored-bill.ts';

/** A day that was compared, as it is kept. */
export interface KeptDay {
  readonly id: Uuid;
  readonly provider: BillProvider;
  readonly day: string;
  readonly accounts: readonly string[];
  readonly keys: readonly string[];
  readonly form: string;
  readonly billDigest: string;
  readonly bill: string;
  readonly ledgerDigest: string;
  readonly ledgerUsd: Usd;
  readonly billUsd: Usd;
  readonly residualUsd: Usd;
  readonly differences: readonly DifferenceDocument[];
  readonly state: DayState;
  readonly rows: readonly RowDocument[];
  readonly notices: readonly string[];
  readonly reason: 'bill' | 'ledger';
  readonly actor: string;
}

/** Which kept days are asked for. */
export interface DaySelection {
  readonly provider?: BillProvider | undefined;
  /** Days, in UTC; `to` is excluded. */
  readonly from: string;
  readonly to: string;
  readonly state?: DayState | undefined;
  /** Also those that later ones took the place of. */
  readonly history: boolean;
  readonly limit: number;
}

/** A current day with its bill. */
export interface CurrentDay {
  readonly document: ReconciliationDocument;
  readonly billDigest: string;
  readonly ledgerDigest: string;
  readonly bill: StoredBill;
}

/** What gauges show of one provider. */
export interface ReconciliationSums {
  readonly provider: string;
  readonly residualUsd: number;
  readonly openDays: number;
}

interface Row {
  readonly id: Uuid;
  readonly provider: BillProvider;
  readonly day: string;
  readonly accounts: string[];
  readonly keys: string[];
  readonly form: string;
  readonly bill_digest: string;
  readonly ledger_digest: string;
  readonly ledger_usd: string;
  readonly bill_usd: string;
  readonly residual_usd: string;
  readonly differences: string;
  readonly state: DayState;
  readonly rows: string;
  readonly notices: string;
  readonly reason: 'bill' | 'ledger';
  readonly actor: string;
  readonly made_at: Date;
  readonly superseded_at: Date | null;
}

/** Reconciliations that are kept, a row for each provider and day. */
export class ReconciliationLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Keeps days of one provider, all or none. Answers the ids of those that say something new. */
  async keep(days: readonly KeptDay[]): Promise<ReadonlySet<Uuid>> {
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(sql.lockReconciliations);
      const kept = new Set<Uuid>();
      for (const day of days) {
        const { rows } = await transaction.query<{ id: Uuid }>(sql.keepReconciliation, [
          day.id,
          day.provider,
          day.day,
          day.accounts,
          day.keys,
          day.form,
          day.billDigest,
          day.bill,
          day.ledgerDigest,
          formatUsd(day.ledgerUsd),
          formatUsd(day.billUsd),
          formatUsd(day.residualUsd),
          JSON.stringify(day.differences),
          day.state,
          JSON.stringify(day.rows),
          JSON.stringify(day.notices),
          day.reason,
          day.actor,
        ]);
        for (const { id } of rows) kept.add(id);
        if (rows.length > 0) await transaction.query(sql.pruneReconciliations, [day.provider, day.day]);
      }
      return kept;
    });
  }

  /** Kept days, the latest first, one more than asked for where there are more. */
  async list({
    provider,
    from,
    to,
    state,
    history,
    limit,
  }: DaySelection): Promise<readonly ReconciliationDocument[]> {
    const { rows } = await this.#database.query<Row>(sql.listReconciliations, [
      provider ?? null,
      from,
      to,
      state ?? null,
      history,
      limit + 1,
    ]);
    return rows.map((row) => documentOf(row));
  }

  async find(id: Uuid): Promise<ReconciliationDocument | undefined> {
    const { rows } = await this.#database.query<Row>(sql.findReconciliation, [id]);
    const [row] = rows;
    return row === undefined ? undefined : documentOf(row);
  }

  /** Days that nothing took the place of, from one on, with their bills. */
  async current(from: string): Promise<readonly CurrentDay[]> {
    const { rows } = await this.#database.query<Row & { readonly bill: string }>(sql.listCurrentDays, [from]);
    return rows.map((row) => ({
      document: documentOf(row),
      billDigest: row.bill_digest,
      ledgerDigest: row.ledger_digest,
      bill: readStoredBill(row.bill),
    }));
  }

  async sums(from: string): Promise<readonly ReconciliationSums[]> {
    const { rows } = await this.#database.query<{
      provider: string;
      residual_usd: string;
      open_days: number;
    }>(sql.sumReconciliations, [from]);
    return rows.map(({ provider, residual_usd, open_days }) => ({
      provider,
      // A gauge is a float by its nature; nothing is computed from it.
      residualUsd: Number(residual_usd),
      openDays: open_days,
    }));
  }

  /** Notes in the audit what an operator had compared. */
  async note(action: {
    readonly id: Uuid;
    readonly actor: string;
    readonly target: string;
    readonly affected: number;
    readonly detail: unknown;
  }): Promise<void> {
    await this.#database.query(sql.noteReconciliation, [
      action.id,
      action.actor,
      action.target,
      action.affected,
      JSON.stringify(action.detail),
    ]);
  }
}

function documentOf(row: Row): ReconciliationDocument {
  const differences = z.array(differenceSchema).parse(JSON.parse(row.differences));
  return {
    id: row.id,
    provider: row.provider,
    day: row.day,
    state: row.state,
    accounts: row.accounts,
    keys: row.keys,
    form: row.form,
    ledgerUsd: row.ledger_usd,
    billUsd: row.bill_usd,
    residualUsd: row.residual_usd,
    ...partsOf(usd(row.ledger_usd), differences),
    differences,
    notices: z.array(z.string()).parse(JSON.parse(row.notices)),
    reason: row.reason,
    actor: row.actor,
    madeAt: row.made_at.toISOString(),
    ...(row.superseded_at === null ? {} : { supersededAt: row.superseded_at.toISOString() }),
    rows: z.array(rowSchema).parse(JSON.parse(row.rows)),
  };
}
