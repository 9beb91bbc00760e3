import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId, type Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { withoutWord } from './erased-actions.ts';
import { eraseActions, isNamedInActions } from './erased-audit.ts';
import { eraseBatches } from './erased-batches.ts';
import { eraseRequests } from './erased-requests.ts';
import {
  type ErasureSelection,
  hashOf,
  needleOf,
  parametersOf,
  rewrittenLine,
  targetOf,
} from './erasure-selection.ts';
import * as sql from './erasure-sql.ts';
import { erasureErrors } from './erasure-errors.ts';

/*
 * Erasure in the ledger. From its request until its end no export batch is bound, and its work begins when those that were
 * open have arrived: so no row with the name can come into the column store behind its back. Whoever works on it holds a
 * lease; what it does may be repeated at any point, and one whose process died is gone on with by another.
 */

/** How much a selection has in the ledger. */
export interface ErasureMeasure {
  readonly messages: number;
  readonly deadLetters: number;
  readonly calls: number;
  /** Messages that have not ended, and calls under way. */
  readonly open: number;
}

/** An erasure that is at work in this process. */
export interface Erasure {
  readonly id: Uuid;
  readonly pseudonym: string;
  readonly lease: Uuid;
}

/** An erasure that was asked for, whoever works on it. */
export interface RequestedErasure {
  readonly id: Uuid;
  readonly pseudonym: string;
}

/** What is known of an erasure, without what it erases. */
export interface ErasureState extends RequestedErasure {
  readonly kind: ErasureSelection['kind'];
  readonly team: string | null;
  readonly began_at: Date;
  readonly ended_at: Date | null;
  readonly messages: number | null;
  /** Tries that failed for its data, since it last came further. */
  readonly failures: number;
  /** The code of the last failure. */
  readonly failure: string | null;
  /** When it was given up. */
  readonly failed_at: Date | null;
}

/** Who erases, and why. */
export interface ErasureOrder {
  readonly actor: string;
  readonly reason: string;
}

interface ErasureRow extends RequestedErasure {
  readonly selection_hash: string;
  /** Null in one that was begun by an earlier version: only its command, given again, knows what it erases. */
  readonly selection: ErasureSelection | null;
}

interface OutboxRow {
  readonly target: string;
  readonly seq: string;
  readonly line: string;
}

const sliceSize = 2000;
const firstId = '00000000-0000-0000-0000-000000000000';
const waits = 160;
const waitMs = 250;
const leaseMs = 30_000;
/** Tries after which an erasure whose data is refused is given up. */
const maxFailures = 5;
/** How often a lease is renewed by who holds it. */
export const erasureRenewalMs = 5_000;

export class ErasureLedger {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The root of the tree that a message belongs to; undefined when there is no such message. */
  async rootOf(messageId: Uuid): Promise<{ readonly root_id: Uuid; readonly team: string } | undefined> {
    const { rows } = await this.#database.query<{ root_id: Uuid; team: string }>(sql.findRoot, [messageId]);
    return rows[0];
  }

  measure(selection: ErasureSelection): Promise<ErasureMeasure> {
    return measure(this.#database, selection, '');
  }

  /**
   * Notes that it is to be erased, or finds the erasure that was noted for the same. Throws MILLRACE_ERASURE_BLOCKED when
   * work of the selection is open, or when another erasure is. One of which there is nothing (`isEmpty`: the column store's
   * part, asked after `isNowhere`) is noted as ended and stops nobody.
   */
  request(
    selection: ErasureSelection,
    { actor, reason }: ErasureOrder,
    isEmpty = false,
  ): Promise<RequestedErasure> {
    return this.#database.transaction(async (transaction) => {
      await transaction.query(sql.lockBinding);
      const { rows } = await transaction.query<ErasureRow>(sql.findOpenErasures);
      const [begun] = rows;
      if (begun !== undefined && begun.selection_hash === hashOf(begun.id, selection)) return begun;
      if (isEmpty && (await isNowhere(transaction, selection)))
        return await this.#recordEmpty(transaction, selection, { actor, reason });
      if (begun !== undefined)
        throw blocked('Another erasure was begun and has not ended. Wait for its end.');
      const { open } = await measure(transaction, selection, '');
      if (open > 0)
        throw blocked(
          `${open} messages, calls or items of batches of it are not at their end. Cancel them, or wait.`,
        );
      const id = newId(this.#clock.now());
      const pseudonym = `erased-${id}`;
      await transaction.query(sql.beginErasure, [
        id,
        selection.kind,
        hashOf(id, selection),
        pseudonym,
        actor,
        reason,
        JSON.stringify(selection),
        'team' in selection ? selection.team : undefined,
      ]);
      return { id, pseudonym };
    });
  }

  /** Whether the ledger has nothing of it, waiting records included. */
  isNowhere(selection: ErasureSelection): Promise<boolean> {
    return isNowhere(this.#database, selection);
  }

  async #recordEmpty(
    executor: SqlExecutor,
    selection: ErasureSelection,
    { actor, reason }: ErasureOrder,
  ): Promise<RequestedErasure> {
    const id = newId(this.#clock.now());
    const pseudonym = `erased-${id}`;
    const { kind } = selection;
    const hash = hashOf(id, selection);
    await executor.query(sql.recordEmptyErasure, [
      id,
      kind,
      hash,
      pseudonym,
      actor,
      reason,
      'team' in selection ? selection.team : undefined,
      newId(this.#clock.now()),
      targetOf(id, selection),
      JSON.stringify({ erasure: id, kind, pseudonym, hash }),
    ]);
    return { id, pseudonym };
  }

  /**
   * Begins the work on an erasure, once no other process works on it and no record is on its way. Undefined when another
   * process has ended it meanwhile. Throws MILLRACE_ERASURE_BLOCKED when that takes too long.
   */
  async begin(requested: RequestedErasure): Promise<Erasure | undefined> {
    for (let tries = 1; ; tries += 1) {
      const erasure = await this.tryToBegin(requested);
      if (erasure !== undefined) return erasure;
      if ((await this.find(requested.id))?.ended_at !== null) return undefined;
      if (tries === waits)
        throw blocked(
          'Another process works on it, or records are on their way to the column store and do not arrive. Is the maintenance role running?',
        );
      await this.#clock.sleep(waitMs);
    }
  }

  /** The same at once; undefined when it has to wait. */
  async tryToBegin({ id, pseudonym }: RequestedErasure): Promise<Erasure | undefined> {
    const { rows: batches } = await this.#database.query<{ count: number }>(sql.countOpenBatches);
    if ((batches[0]?.count ?? 0) > 0) return undefined;
    const lease = newId(this.#clock.now());
    const { rows } = await this.#database.query(sql.leaseErasure, [id, lease, leaseMs]);
    return rows.length === 0 ? undefined : { id, pseudonym, lease };
  }

  /** The erasure that has not ended, with what it erases; undefined when there is none that this version can go on with. */
  async findOpen(): Promise<(RequestedErasure & { readonly selection: ErasureSelection }) | undefined> {
    const { rows } = await this.#database.query<ErasureRow>(sql.findOpenErasures);
    const [row] = rows;
    return row === undefined || row.selection === null
      ? undefined
      : { id: row.id, pseudonym: row.pseudonym, selection: row.selection };
  }

  async find(id: Uuid): Promise<ErasureState | undefined> {
    return (await this.#database.query<ErasureState>(sql.findErasure, [id])).rows[0];
  }

  /** What is at work, and what was given up in the last seven days. */
  async listTroubled(): Promise<readonly ErasureState[]> {
    return (await this.#database.query<ErasureState>(sql.listTroubledErasures)).rows;
  }

  /** The ledger is done and the column store is next: from here it is not given up. Throws what `renew` throws. */
  async enterStore({ id, lease }: Erasure): Promise<void> {
    const { affected } = await this.#database.query(sql.enterStore, [id, lease]);
    if (affected === 0) throw lost();
  }

  /**
   * A try failed. One that another try cannot fix counts, and the fifth ends the erasure as failed, with an entry in the
   * audit: unless the column store is begun, where an end half way would leave sums that are not right.
   */
  async noteFailure(
    { id, lease, pseudonym }: Erasure,
    selection: ErasureSelection,
    error: unknown,
  ): Promise<void> {
    const code = error instanceof AppError ? error.code : 'MILLRACE_INTERNAL';
    const isRefused = !(error instanceof AppError) || !error.retryable;
    await this.#database.query(sql.noteErasureFailure, [
      id,
      lease,
      code,
      isRefused,
      maxFailures,
      newId(this.#clock.now()),
      targetOf(id, selection),
      JSON.stringify({ erasure: id, kind: selection.kind, pseudonym, failure: code }),
    ]);
  }

  /** Keeps the erasure for this process. Throws MILLRACE_ERASURE_BLOCKED when another has it. */
  async renew({ id, lease }: Erasure): Promise<void> {
    const { affected } = await this.#database.query(sql.renewErasure, [id, lease, leaseMs]);
    if (affected === 0) throw lost();
  }

  /** Another process may go on with it at once. */
  async giveBack({ id, lease }: Erasure): Promise<void> {
    await this.#database.query(sql.renewErasure, [id, lease, 0]);
  }

  /** Everything in the ledger that has ended. Answers how many messages it found; a repeat finds only the rest. */
  async erase(selection: ErasureSelection, { pseudonym }: Erasure): Promise<number> {
    const parameters = parametersOf(selection, pseudonym);
    // First, so that nothing new is sent.
    await this.#database.query(sql.eraseSchedules, parameters.slice(0, 3));
    await this.#rewriteOutbox(selection, pseudonym);
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
    await eraseBatches(this.#database, selection, pseudonym);
    await eraseRequests(this.#database, parameters);
    if (selection.kind !== 'message') {
      const customer = selection.kind === 'customer' ? selection.customer : undefined;
      await this.#database.query(sql.eraseKeys, [customer, selection.team, pseudonym]);
    }
    // Records without a line are rendered from rows that have no name any more; whoever corrected a call meanwhile left its line of before.
    await this.#rewriteOutbox(selection, pseudonym);
    if (selection.kind === 'customer') await this.#eraseName(selection, pseudonym);
    return erased;
  }

  /** Where operators wrote the name. A pause knows no team: it stands for others too, and stays when one team's is erased. */
  async #eraseName(
    { customer, team }: Extract<ErasureSelection, { kind: 'customer' }>,
    pseudonym: string,
  ): Promise<void> {
    const name = { customer, pseudonym, ...(team === undefined ? {} : { team }) };
    await this.#database.query(sql.eraseQuotas, [customer, team, pseudonym]);
    if (team === undefined) {
      const { rows } = await this.#database.query<{ id: Uuid; reason: string }>(sql.findErasedBlock, [
        customer,
      ]);
      for (const { id, reason } of rows)
        await this.#database.query(sql.eraseBlock, [id, pseudonym, withoutWord(reason, name)]);
    }
    await eraseActions(this.#database, name);
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

  /**
   * The end, with its record in the audit: by the digest, not by the name. Throws MILLRACE_ERASURE_BLOCKED when another
   * process has taken it over.
   */
  async end({ id, pseudonym, lease }: Erasure, selection: ErasureSelection, messages: number): Promise<void> {
    const hash = hashOf(id, selection);
    const { affected } = await this.#database.query(sql.endErasure, [
      id,
      newId(this.#clock.now()),
      targetOf(id, selection),
      messages,
      JSON.stringify({ erasure: id, kind: selection.kind, pseudonym, hash }),
      lease,
    ]);
    if (affected === 0) throw lost();
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

async function isNowhere(executor: SqlExecutor, selection: ErasureSelection): Promise<boolean> {
  const { rows } = await executor.query<{ found: boolean }>(sql.findErasable, [
    ...parametersOf(selection, ''),
    JSON.stringify(needleOf(selection)),
  ]);
  if (rows[0]?.found !== false) return false;
  return (
    selection.kind !== 'customer' || !(await isNamedInActions(executor, { ...selection, pseudonym: '' }))
  );
}

function lost(): AppError {
  return blocked('Another process has taken it over: this one was silent for too long.');
}

function blocked(why: string): AppError {
  return new AppError(erasureErrors.MILLRACE_ERASURE_BLOCKED, why);
}
