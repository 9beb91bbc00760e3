import { createHash } from 'node:crypto';
import type { SqlDatabase, SqlExecutor } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import type { Clock } from '../kernel/clock.ts';
import { newId, type Uuid } from '../kernel/ids.ts';
import { invariant } from '../kernel/invariant.ts';
import * as sql from './erasure-sql.ts';

/*
 * Erasure in the ledger. An erasure is begun while no export batch is open, and from then until its end none is bound: so
 * no row with the name can come into the column store behind its back. What it does may be repeated at any point; one
 * that died is found again by the salted digest of what was to be erased.
 */

/** What is erased: a customer (of one team, or of all), a team's customers, or the tree of one message. */
export type ErasureSelection =
  | { readonly kind: 'customer'; readonly customer: string; readonly team?: string }
  | { readonly kind: 'team'; readonly team: string }
  | { readonly kind: 'message'; readonly rootId: Uuid };

/** How much a selection has in the ledger. */
export interface ErasureMeasure {
  readonly messages: number;
  readonly deadLetters: number;
  readonly calls: number;
  /** Messages that have not ended, and calls in the air. */
  readonly open: number;
}

/** How far the rollup by customer has come, by month. */
export type ErasedMonths = Readonly<Record<string, 'copied' | 'renamed'>>;

export interface Erasure {
  readonly id: Uuid;
  readonly pseudonym: string;
  readonly months: ErasedMonths;
}

/** Who erases, and why. */
export interface ErasureOrder {
  readonly actor: string;
  readonly reason: string;
}

interface ErasureRow {
  readonly id: Uuid;
  readonly selection_hash: string;
  readonly pseudonym: string;
  readonly months: ErasedMonths;
}

interface OutboxRow {
  readonly target: string;
  readonly seq: string;
  readonly line: string;
}

const sliceSize = 2000;
const firstId = '00000000-0000-0000-0000-000000000000';
const waitsForExport = 40;
const waitMs = 250;

export class ErasureLedger {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The root of the tree that a message belongs to; undefined when there is no such message. */
  async rootOf(messageId: Uuid): Promise<Uuid | undefined> {
    const { rows } = await this.#database.query<{ root_id: Uuid }>(sql.findRoot, [messageId]);
    return rows[0]?.root_id;
  }

  measure(selection: ErasureSelection): Promise<ErasureMeasure> {
    return measure(this.#database, selection, '');
  }

  /**
   * Begins the erasure, or finds the one that was begun for the same. Throws MILLRACE_ERASURE_BLOCKED when work of the
   * selection is open, when another erasure is, or when records are on their way to the column store for too long.
   */
  async begin(selection: ErasureSelection, order: ErasureOrder): Promise<Erasure> {
    for (let tries = 1; ; tries += 1) {
      const erasure = await this.#database.transaction((transaction) =>
        this.#tryToBegin(transaction, selection, order),
      );
      if (erasure !== undefined) return erasure;
      if (tries === waitsForExport)
        throw blocked(
          'Records are on their way to the column store and do not arrive. Is the relay running?',
        );
      await this.#clock.sleep(waitMs);
    }
  }

  async #tryToBegin(
    transaction: SqlExecutor,
    selection: ErasureSelection,
    { actor, reason }: ErasureOrder,
  ): Promise<Erasure | undefined> {
    await transaction.query(sql.lockBinding);
    const { rows } = await transaction.query<ErasureRow>(sql.findOpenErasures);
    const [begun] = rows;
    if (begun !== undefined) {
      if (begun.selection_hash !== hashOf(begun.id, selection))
        throw blocked('Another erasure was begun and has not ended. Give its command again first.');
      return { id: begun.id, pseudonym: begun.pseudonym, months: begun.months };
    }
    const { open } = await measure(transaction, selection, '');
    if (open > 0)
      throw blocked(`${open} messages or calls of it are not at their end. Cancel them, or wait.`);
    const { rows: batches } = await transaction.query<{ count: number }>(sql.countOpenBatches);
    if ((batches[0]?.count ?? 0) > 0) return undefined;
    const id = newId(this.#clock.now());
    const pseudonym = `erased-${id}`;
    await transaction.query(sql.beginErasure, [
      id,
      selection.kind,
      hashOf(id, selection),
      pseudonym,
      actor,
      reason,
    ]);
    return { id, pseudonym, months: {} };
  }

  /** Everything in the ledger that has ended. Answers how many messages it found; a repeat finds only the rest. */
  async erase(selection: ErasureSelection, { pseudonym }: Erasure): Promise<number> {
    await this.#rewriteOutbox(selection, pseudonym);
    const parameters = parametersOf(selection, pseudonym);
    let erased = 0;
    let last: Uuid = firstId;
    for (;;) {
      const { rows } = await this.#database.query<{ count: number; last: Uuid | null }>(sql.eraseMessages, [
        ...parameters,
        last,
        sliceSize,
      ]);
      const [row] = rows;
      invariant(row !== undefined, 'a count has one row');
      erased += row.count;
      if (row.last === null) break;
      last = row.last;
    }
    await this.#database.query(sql.eraseLooseCalls, parameters);
    if (selection.kind === 'customer') await this.#eraseName(selection, pseudonym);
    return erased;
  }

  /** Where operators wrote the name. A name of one team may be another customer's too: audit and holds know no team. */
  async #eraseName(
    { customer, team }: Extract<ErasureSelection, { kind: 'customer' }>,
    pseudonym: string,
  ): Promise<void> {
    await this.#database.query(sql.eraseBudgets, [customer, team, pseudonym]);
    await this.#database.query(sql.eraseHolds, [customer, pseudonym]);
    const inJson = JSON.stringify(customer).slice(1, -1);
    await this.#database.query(sql.eraseActions, [customer, pseudonym, inJson, pseudonym]);
  }

  /** Lines that are in no batch may change; those of a batch never do, and there is none now. */
  async #rewriteOutbox(selection: ErasureSelection, pseudonym: string): Promise<void> {
    const needle = JSON.stringify(needleOf(selection));
    let after: Pick<OutboxRow, 'target' | 'seq'> = { target: '', seq: '0' };
    for (;;) {
      const { rows } = await this.#database.query<OutboxRow>(sql.listOutboxLines, [
        needle,
        after.target,
        after.seq,
        sliceSize,
      ]);
      for (const { target, seq, line } of rows) {
        const rewritten = rewrittenLine(line, selection, pseudonym);
        if (rewritten !== undefined)
          await this.#database.query(sql.rewriteOutboxLine, [target, seq, rewritten]);
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last;
    }
  }

  async noteMonths({ id }: Erasure, months: ErasedMonths): Promise<void> {
    await this.#database.query(sql.noteMonths, [id, JSON.stringify(months)]);
  }

  /** The end, with its record in the audit: by the digest, not by the name. */
  async end({ id, pseudonym }: Erasure, selection: ErasureSelection, messages: number): Promise<void> {
    const hash = hashOf(id, selection);
    await this.#database.query(sql.endErasure, [
      id,
      newId(this.#clock.now()),
      selection.kind === 'message' ? `message ${selection.rootId}` : `${selection.kind} sha256:${hash}`,
      messages,
      JSON.stringify({ erasure: id, kind: selection.kind, pseudonym, hash }),
    ]);
  }
}

async function measure(
  executor: SqlExecutor,
  selection: ErasureSelection,
  pseudonym: string,
): Promise<ErasureMeasure> {
  const { rows } = await executor.query<{
    messages: number;
    open: number;
    dead_letters: number;
    calls: number;
    calls_open: number;
    loose_calls: number;
  }>(sql.measureErasure, parametersOf(selection, pseudonym));
  const [row] = rows;
  invariant(row !== undefined, 'a count has one row');
  return {
    messages: row.messages,
    deadLetters: row.dead_letters,
    calls: row.calls + row.loose_calls,
    open: row.open + row.calls_open,
  };
}

function parametersOf(selection: ErasureSelection, pseudonym: string): readonly unknown[] {
  switch (selection.kind) {
    case 'customer':
      return [selection.customer, selection.team, undefined, pseudonym];
    case 'team':
      return [undefined, selection.team, undefined, pseudonym];
    case 'message':
      return [undefined, undefined, selection.rootId, pseudonym];
  }
}

function needleOf(selection: ErasureSelection): string {
  switch (selection.kind) {
    case 'customer':
      return selection.customer;
    case 'team':
      return selection.team;
    case 'message':
      return selection.rootId;
  }
}

/** The line of a usage record or an outcome without what names anybody; undefined when it is not of the selection. */
function rewrittenLine(line: string, selection: ErasureSelection, pseudonym: string): string | undefined {
  const row = JSON.parse(line) as Record<string, unknown>;
  const isSelected =
    selection.kind === 'message'
      ? row['root_id'] === selection.rootId
      : (selection.team === undefined || row['team'] === selection.team) &&
        (selection.kind === 'team' || row['customer'] === selection.customer);
  if (!isSelected) return undefined;
  const { labels: _labels, item: _item, raw_usage: _usage, ...rest } = row;
  return JSON.stringify(selection.kind === 'message' ? rest : { ...rest, customer: pseudonym });
}

/** The erasure's id is the salt: names are few, and a bare digest of one would be found by trying. */
function hashOf(id: Uuid, selection: ErasureSelection): string {
  return createHash('sha256')
    .update(JSON.stringify([id, ...parametersOf(selection, '')]))
    .digest('hex');
}

function blocked(why: string): AppError {
  return new AppError('MILLRACE_ERASURE_BLOCKED', why);
}
