import { jsonRows, placedJsonRows } from '../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { AppError } from '../../kernel/app-error.ts';
import type { GroupCommit } from '../../kernel/group-commit.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { isRefusedData, writeSplittingRefused } from '../../kernel/split-refused.ts';
import { checkedAsk } from './claim-ask.ts';
import { type ClaimRequest, type ClaimOutcome, Claims } from './claims.ts';
import { ledgerGroup, type LedgerGroupOptions } from './ledger-group.ts';
import type {
  Admission,
  AdmissionOutcome,
  Admitted,
  Emission,
  End,
  Finish,
  FinishOutcome,
  LeasedAsWritten,
  Park,
  Retry,
  RunRef,
} from './message-changes.ts';
import {
  type AdmissionRow,
  admissionRow,
  type EndRow,
  endRow,
  type FinishRow,
  finishRow,
  parkRow,
  retryRow,
  type RunRow,
} from './message-rows.ts';
import * as sql from './message-sql.ts';
import { reducedEnd, reducedPark, reducedRetry } from './reduced-changes.ts';
import { expireMessages } from './sweep-sql.ts';

export type { Admission, AdmissionOutcome, Emission, End, Finish, Park, Retry };

/*
 * The ledger's half about messages. Every method may be called by many at once: their wishes share
 * transactions (see GroupCommit). What needs a lease shows its fencing token; `false` means that the fencing token has passed on
 * and that nothing was changed. What the database refuses for its data is an AppError of its own caller alone; a run that ends
 * without success is then written once more, with what was odd replaced: it must not be made again for ever.
 */

/** A run with the length of its lease. */
export interface LeaseRef extends RunRef {
  readonly leaseMs: number;
}

export interface MessageLedgerOptions extends LedgerGroupOptions {
  readonly database: SqlDatabase;
  /** This process's name, unique among all that share the ledger. */
  readonly worker: string;
  /** Called for every end of a run that was refused for what it holds, and then written without that. */
  readonly onReduced?: (refusal: AppError) => void;
}

export class MessageLedger {
  readonly #database: SqlDatabase;
  readonly #admit: GroupCommit<readonly AdmissionRow[], Admitted>;
  readonly #claim: GroupCommit<ClaimRequest, ClaimOutcome>;
  readonly #worker: string;
  readonly #finish: GroupCommit<FinishRow, FinishOutcome>;
  readonly #retry: GroupCommit<RunRow, boolean>;
  readonly #end: GroupCommit<EndRow, boolean>;
  readonly #park: GroupCommit<RunRow, boolean>;
  readonly #onReduced: MessageLedgerOptions['onReduced'];

  constructor({ database, worker, onReduced, ...groups }: MessageLedgerOptions) {
    this.#database = database;
    this.#worker = worker;
    this.#admit = ledgerGroup('admit', groups, (items) => this.#writeAdmissions(items));
    const claims = new Claims(database, worker);
    this.#claim = ledgerGroup('claim', groups, (asks) => claims.answer(asks));
    this.#finish = ledgerGroup('finish', groups, (items) => this.#writeFinishes(items));
    this.#retry = ledgerGroup('fail', groups, (items) => this.#writeRetries(items));
    this.#end = ledgerGroup('fail', groups, (items) => this.#writeEnds(items));
    this.#park = ledgerGroup('fail', groups, (items) => this.#writeParks(items));
    this.#onReduced = onReduced;
  }

  /** Writes the message if its id is new. A duplicate is the same cause sent twice: nothing changes. */
  async admit(admission: Admission): Promise<AdmissionOutcome> {
    const { outcomes } = await this.admitAndLease([admission]);
    return outcomes.includes('admitted') ? 'admitted' : 'duplicate';
  }

  /** The same for messages that are written together or not at all; says which are leased to this process already. */
  async admitAndLease(admissions: readonly Admission[]): Promise<Admitted> {
    return await this.#admit.submit(admissions.map((admission) => admissionRow(admission)));
  }

  /** Whether all of these messages are there. */
  async hasAll(ids: readonly Uuid[]): Promise<boolean> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.listKnown, [ids]);
    return rows.length === new Set(ids).size;
  }

  /** Takes the next message of the stage that is due for `leaseMs`, raising its fencing token; says why when there is none. */
  async claim(ask: ClaimRequest): Promise<ClaimOutcome> {
    return await this.#claim.submit(checkedAsk(ask));
  }

  /** Ends the message with success: result, emissions and outcome record in one transaction. */
  async finish(finish: Finish): Promise<boolean> {
    return (await this.finishAndLease(finish)).isOurs;
  }

  /** The same, and says which of its emissions are leased to this process already. */
  async finishAndLease(finish: Finish): Promise<FinishOutcome> {
    return await this.#finish.submit(finishRow(finish));
  }

  /** Returns the message after a failed attempt, due again after the delay. */
  retry(retry: Retry): Promise<boolean> {
    return this.#orReduced(
      async () => await this.#retry.submit(retryRow(retry)),
      async (refusal) => await this.#retry.submit(retryRow(reducedRetry(retry, refusal))),
    );
  }

  /** Gives the message up for good, or cancels it. */
  end(end: End): Promise<boolean> {
    return this.#orReduced(
      async () => await this.#end.submit(endRow(end)),
      async (refusal) => await this.#end.submit(endRow(reducedEnd(end, refusal))),
    );
  }

  /** Puts the message aside without blame, until a time or until what it waits for is lifted. */
  park(park: Park): Promise<boolean> {
    return this.#orReduced(
      async () => await this.#park.submit(parkRow(park)),
      async () => await this.#park.submit(parkRow(reducedPark(park))),
    );
  }

  /** Renews leases; answers the ids that were still ours. */
  async renew(leases: readonly LeaseRef[]): Promise<ReadonlySet<Uuid>> {
    const renewed = new Set<Uuid>();
    let failure: Error | undefined;
    await writeSplittingRefused(
      leases,
      async (part) => {
        const { rows } = await this.#database.query<{ id: Uuid }>(sql.renewLeases, [
          part.map((one) => one.id),
          part.map((one) => one.fencingToken),
          part.map((one) => one.leaseMs),
        ]);
        const ours = idsOf(rows);
        return part.map(({ id }) => ours.has(id));
      },
      ({ id }, outcome) => {
        if (outcome.status === 'rejected') failure = outcome.reason as Error;
        else if (outcome.value) renewed.add(id);
      },
    );
    // A lease that cannot be renewed runs out by itself; the others go on.
    if (failure !== undefined && (renewed.size === 0 || !isRefusedData(failure))) throw failure;
    return renewed;
  }

  /** Hands messages back without blame, due at once. */
  async release(leases: readonly LeaseRef[]): Promise<void> {
    await this.#database.query(sql.releaseMessages, [
      leases.map((one) => one.id),
      leases.map((one) => one.fencingToken),
    ]);
  }

  /** Gives up runs whose lease ended before they did: lost, as when their worker had died. */
  async expire(leases: readonly RunRef[]): Promise<void> {
    await this.#database.query(expireMessages, [
      leases.map(({ id }) => id),
      leases.map(({ fencingToken }) => fencingToken),
    ]);
  }

  /** The stages from the admitted message to this one, in order; the last `maxStages` of them. */
  async pathTo(id: Uuid, maxStages: number): Promise<readonly string[]> {
    const { rows } = await this.#database.query<{ stage: string }>(sql.listPath, [id, maxStages]);
    return rows.map(({ stage }) => stage);
  }

  async #orReduced(
    write: () => Promise<boolean>,
    writeReduced: (refusal: AppError) => Promise<boolean>,
  ): Promise<boolean> {
    try {
      return await write();
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      const isOurs = await writeReduced(error);
      this.#onReduced?.(error);
      return isOurs;
    }
  }

  async #writeAdmissions(items: readonly (readonly AdmissionRow[])[]): Promise<Admitted[]> {
    const { rows } = await this.#database.query<AdmittedRow>(sql.admitMessages, [
      placedJsonRows(items.flatMap((together) => together.map(({ row }) => row))),
      this.#worker,
    ]);
    const written = idsOf(rows);
    const leased = leasedAmong(rows.filter((row) => row.is_leased));
    return items.map((together) => {
      const outcomes = together.map(({ id }) => (takeFirst(written, id) ? 'admitted' : 'duplicate'));
      return { outcomes, leased: outcomes.includes('admitted') ? leased : leasedAmong([]) };
    });
  }

  async #writeFinishes(items: readonly FinishRow[]): Promise<FinishOutcome[]> {
    const { rows } = await this.#database.query<FinishedRow>(sql.finishMessages, [
      jsonRows(items.map(({ row }) => row)),
      placedJsonRows(items.flatMap(({ emissions }) => emissions)),
      this.#worker,
      jsonRows(items.flatMap(({ joins }) => joins)),
    ]);
    const leased = leasedAmong(rows.filter((row) => row.fencing_token === null));
    const done = rows.flatMap(({ id, fencing_token }) =>
      fencing_token === null ? [] : [{ id, fencing_token }],
    );
    return oursAmong(items, done).map((isOurs) => ({ isOurs, leased: isOurs ? leased : leasedAmong([]) }));
  }

  async #writeRetries(items: readonly RunRow[]): Promise<boolean[]> {
    const rows = jsonRows(items.map(({ row }) => row));
    return oursAmong(items, (await this.#database.query<AnsweredRunRow>(sql.retryMessages, [rows])).rows);
  }

  async #writeParks(items: readonly RunRow[]): Promise<boolean[]> {
    const rows = jsonRows(items.map(({ row }) => row));
    return oursAmong(items, (await this.#database.query<AnsweredRunRow>(sql.parkMessages, [rows])).rows);
  }

  async #writeEnds(items: readonly EndRow[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<AnsweredRunRow>(sql.endMessages, [
      jsonRows(items.map(({ row }) => row)),
      jsonRows(items.map(({ outcome }) => outcome)),
    ]);
    return oursAmong(items, rows);
  }
}

interface WrittenRow {
  readonly id: Uuid;
  readonly created_at: Date | null;
  readonly available_at: Date | null;
}

interface AdmittedRow extends WrittenRow {
  readonly is_leased: boolean;
}

/** What a finish answers: a run that has ended, by its fencing token, or an emission that is leased, with its times. */
interface FinishedRow extends WrittenRow {
  readonly fencing_token: number | null;
}

function leasedAmong(rows: readonly WrittenRow[]): LeasedAsWritten {
  return new Map(
    rows.flatMap(({ id, created_at: createdAt, available_at: availableAt }) =>
      createdAt === null || availableAt === null ? [] : [[id, { createdAt, availableAt }]],
    ),
  );
}

/** One run of a message, as the statements answer it. */
interface AnsweredRunRow {
  readonly id: Uuid;
  readonly fencing_token: number;
}

/** For each run whether it was the one whose word counted: a group may hold what two runs of one message say. */
function oursAmong(items: readonly RunRow[], rows: readonly AnsweredRunRow[]): boolean[] {
  const taken = new Set(rows.map((row) => runOf(row.id, row.fencing_token)));
  return items.map((item) => taken.delete(runOf(item.id, item.fencingToken)));
}

function runOf(id: Uuid, fencingToken: number): string {
  return `${id} ${fencingToken}`;
}

function idsOf(rows: readonly { readonly id: Uuid }[]): Set<Uuid> {
  return new Set(rows.map((row) => row.id));
}

/** True for the first asker of an id that is there: a group may hold the same id twice. */
function takeFirst(ids: Set<Uuid>, id: Uuid): boolean {
  return ids.delete(id);
}
