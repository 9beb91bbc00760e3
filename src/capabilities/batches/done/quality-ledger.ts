import { jsonRow, jsonRows } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { bodyOf, type StoredBody } from '../../../engine/ledger/stored-message.ts';
import type { Batch } from '../batch.ts';
import { batchOf, type BatchRow } from '../batch-rows.ts';
import { outputsOfLine } from '../run/item-end.ts';
import type { CheckChoice } from './check-turns.ts';
import { qualitySchema, strataOf } from './quality-settings.ts';
import * as sql from './quality-sql.ts';

/** A batch of which checks are to come. */
export interface UncheckedBatch {
  readonly id: Uuid;
  readonly team: string;
  readonly name: string;
  readonly validator: string;
  /** Its settings; JSON. */
  readonly quality: string;
  /** Whether the items to check were drawn. */
  readonly isDrawn: boolean;
}

/** An item that is to be checked. */
export interface OpenCheck {
  readonly position: number;
  readonly itemId: string;
  readonly team: string;
  readonly customer: string;
  readonly labels: Readonly<Record<string, string>>;
  /** JSON; undefined when it was erased since it was drawn. */
  readonly outputs: string | undefined;
  /** What was sent; undefined when the message is gone. */
  readonly body: StoredBody | undefined;
}

/** A check that has ended. */
export interface EndedCheck {
  readonly position: number;
  readonly state: 'passed' | 'failed';
  /** Storable text. */
  readonly reason: string | undefined;
}

/** The checks of batches' quality in the ledger. */
export class QualityLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Batches whose items have all ended, with checks to come that these validators can make. */
  async listUnchecked(validators: readonly string[], limit: number): Promise<readonly UncheckedBatch[]> {
    const { rows } = await this.#database.query<UncheckedRow>(sql.listUnchecked, [validators, limit]);
    return rows.map(({ is_drawn: isDrawn, ...row }) => ({ ...row, isDrawn }));
  }

  /** Halts batches that name a validator that is none of these; answers them. */
  async haltUncheckable(validators: readonly string[]): Promise<readonly Batch[]> {
    const { rows } = await this.#database.query<BatchRow>(sql.haltUncheckable, [validators]);
    return rows.map((row) => batchOf(row));
  }

  /** Draws the items that are checked, once. */
  async draw({ id, quality: json }: UncheckedBatch): Promise<void> {
    const quality = qualitySchema.parse(JSON.parse(json));
    const { by, label } = strataOf(quality);
    const { size, share } = quality.sample;
    await this.#database.query(sql.drawSample, [id, by, label, size, share]);
  }

  /** Items that are to be checked, of those that are chosen. */
  async listOpen(batchId: Uuid, choice: CheckChoice, limit: number): Promise<readonly OpenCheck[]> {
    const only = 'only' in choice ? choice.only : null;
    const without = 'without' in choice ? choice.without : [];
    const { rows } = await this.#database.query<OpenRow>(sql.listOpenChecks, [batchId, limit, only, without]);
    return rows.map((row) => ({
      position: row.position,
      itemId: row.item_id,
      team: row.team,
      customer: row.customer,
      labels: { ...labelsOf(row.batch_labels), ...labelsOf(row.labels) },
      outputs: row.output === null ? undefined : outputsOfLine(row.output),
      body: row.has_message ? bodyOf(row) : undefined,
    }));
  }

  /** Records checks that were open; answers how many ended how. */
  async record(
    batchId: Uuid,
    checks: readonly EndedCheck[],
  ): Promise<{ readonly passed: number; readonly failed: number }> {
    const told = checks.map((check) => jsonRow('record checks', () => ({ ...check })));
    const { rows } = await this.#database.query<{ readonly passed: number; readonly failed: number }>(
      sql.recordChecks,
      [batchId, jsonRows(told)],
    );
    return rows[0] ?? { passed: 0, failed: 0 };
  }
}

function labelsOf(json: string | null): Readonly<Record<string, string>> {
  return json === null ? {} : (JSON.parse(json) as Readonly<Record<string, string>>);
}

type UncheckedRow = Omit<UncheckedBatch, 'isDrawn'> & { readonly is_drawn: boolean };

interface OpenRow {
  readonly position: number;
  readonly item_id: string;
  readonly team: string;
  readonly customer: string;
  readonly batch_labels: string | null;
  readonly labels: string | null;
  readonly output: string | null;
  readonly has_message: boolean;
  readonly body: string | null;
  readonly body_ref: string | null;
}
