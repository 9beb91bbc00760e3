import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { GroupCommit } from '../kernel/group-commit.ts';
import type { Uuid } from '../kernel/ids.ts';
import type { MessageEnvelope } from '../messages/message.ts';
import { type ClaimAsk, type ClaimOutcome, Claims } from './claims.ts';
import { ledgerGroup, type LedgerGroupOptions } from './ledger-group.ts';
import * as sql from './message-sql.ts';
import { loseMessages } from './sweep-sql.ts';
import { type StoredBody, originColumns } from './stored-message.ts';

/*
 * The ledger's half about messages. Every method may be called by many at once: their wishes share
 * transactions (see GroupCommit). What needs a lease shows its fence; `false` means that the fence has passed on
 * and that nothing was changed.
 */

/** A message to be admitted: the envelope without the times, which are the database's. */
export interface Admission {
  readonly envelope: Omit<MessageEnvelope, 'createdAt' | 'admittedAt' | 'rootId' | 'parentId'>;
  /** Messages of the stage with the same key go one after another. */
  readonly orderKey?: string | undefined;
  readonly body: StoredBody;
  readonly bodyBytes: number;
}

export type AdmissionOutcome = 'admitted' | 'duplicate';

/** A message emitted by another; origin, item and root are inherited in the database. */
export interface Emission {
  readonly id: Uuid;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly pipeline: string;
  /** The consuming stage; empty for an output, which is complete at once. */
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  /** Messages of the stage with the same key go one after another. */
  readonly orderKey?: string | undefined;
  readonly traceParent: string;
  readonly body: StoredBody;
  readonly bodyBytes: number;
}

/** The end of a message that succeeded. `outcomeLine` is its rendered record for the column store. */
export interface Finish {
  readonly id: Uuid;
  readonly fence: number;
  /** JSON of what the handler returned. */
  readonly result: string | undefined;
  readonly emissions: readonly Emission[];
  readonly outcomeLine: string;
}

/** Why an attempt failed: a code, and JSON for the reader of a dead letter. */
export interface FailureNote {
  readonly code: string;
  readonly detail: string;
  /** The answer was of no use: it counts among the degenerate attempts, not among the others. */
  readonly isDegenerate?: boolean;
}

export interface Retry extends FailureNote {
  readonly id: Uuid;
  readonly fence: number;
  readonly delayMs: number;
  /** Why it is put off, for people (see waitName). */
  readonly waitsFor?: string;
}

/** A message that may not go on now. */
export interface Park {
  readonly id: Uuid;
  readonly fence: number;
  /** When it is due again; undefined with `parkedFor`: when that is lifted. */
  readonly delayMs: number | undefined;
  /** What must be lifted first ("hold:…", "budget:…"). */
  readonly parkedFor: string | undefined;
  /** Why, for people (see waitName). */
  readonly waitsFor?: string;
}

export interface End extends FailureNote {
  readonly id: Uuid;
  readonly fence: number;
  readonly state: 'dead_lettered' | 'cancelled';
  readonly outcomeLine: string;
}

export interface Held {
  readonly id: Uuid;
  readonly fence: number;
  readonly leaseMs: number;
}

export interface MessageLedgerOptions extends LedgerGroupOptions {
  readonly database: SqlDatabase;
  /** This process's name, unique among all that share the ledger. */
  readonly worker: string;
}

export class MessageLedger {
  readonly #database: SqlDatabase;
  readonly #admit: GroupCommit<Admission, AdmissionOutcome>;
  readonly #claim: GroupCommit<ClaimAsk, ClaimOutcome>;
  readonly #finish: GroupCommit<Finish, boolean>;
  readonly #retry: GroupCommit<Retry, boolean>;
  readonly #end: GroupCommit<End, boolean>;
  readonly #park: GroupCommit<Park, boolean>;

  constructor({ database, worker, ...groups }: MessageLedgerOptions) {
    this.#database = database;
    this.#admit = ledgerGroup('admit', groups, (items) => this.#writeAdmissions(items));
    const claims = new Claims(database, worker);
    this.#claim = ledgerGroup('claim', groups, (asks) => claims.answer(asks));
    this.#finish = ledgerGroup('finish', groups, (items) => this.#writeFinishes(items));
    this.#retry = ledgerGroup('fail', groups, (items) => this.#writeRetries(items));
    this.#end = ledgerGroup('fail', groups, (items) => this.#writeEnds(items));
    this.#park = ledgerGroup('fail', groups, (items) => this.#writeParks(items));
  }

  /** Writes the message if its id is new. A duplicate is the same cause told twice: nothing changes. */
  admit(admission: Admission): Promise<AdmissionOutcome> {
    return this.#admit.submit(admission);
  }

  /** Takes the next message of the stage that is due for `leaseMs`, raising its fence; says why when there is none. */
  claim(ask: ClaimAsk): Promise<ClaimOutcome> {
    return this.#claim.submit(ask);
  }

  /** Ends the message with success: result, emissions and outcome record in one transaction. */
  finish(finish: Finish): Promise<boolean> {
    return this.#finish.submit(finish);
  }

  /** Returns the message after a failed attempt, due again after the delay. */
  retry(retry: Retry): Promise<boolean> {
    return this.#retry.submit(retry);
  }

  /** Gives the message up for good, or cancels it. */
  end(end: End): Promise<boolean> {
    return this.#end.submit(end);
  }

  /** Puts the message aside without blame, until a time or until what it waits for is lifted. */
  park(park: Park): Promise<boolean> {
    return this.#park.submit(park);
  }

  /** Renews leases; answers the ids that were still ours. */
  async renew(held: readonly Held[]): Promise<ReadonlySet<Uuid>> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.renewLeases, [
      held.map((one) => one.id),
      held.map((one) => one.fence),
      held.map((one) => one.leaseMs),
    ]);
    return idsOf(rows);
  }

  /** Hands messages back without blame, due at once. */
  async handBack(held: readonly Held[]): Promise<void> {
    await this.#database.query(sql.handBackMessages, [
      held.map((one) => one.id),
      held.map((one) => one.fence),
    ]);
  }

  /** Gives up runs whose lease ended before they did: lost, as when their worker had died. */
  async lose(held: readonly Pick<Held, 'id' | 'fence'>[]): Promise<void> {
    await this.#database.query(loseMessages, [held.map(({ id }) => id), held.map(({ fence }) => fence)]);
  }

  /** The stages from the admitted message to this one, in order; the last `maxStages` of them. */
  async pathTo(id: Uuid, maxStages: number): Promise<readonly string[]> {
    const { rows } = await this.#database.query<{ stage: string }>(sql.listPath, [id, maxStages]);
    return rows.map(({ stage }) => stage);
  }

  async #writeAdmissions(items: readonly Admission[]): Promise<AdmissionOutcome[]> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.admitMessages, [
      JSON.stringify(
        items.map(({ envelope, orderKey, body, bodyBytes }, index) => ({
          id: envelope.id,
          source: envelope.source,
          event_id: envelope.eventId,
          type: envelope.type,
          version: envelope.version,
          pipeline: envelope.pipeline,
          stage: envelope.stage,
          owner: envelope.owner,
          lane: envelope.lane,
          ...originColumns(envelope.origin),
          item: envelope.item,
          trace_parent: envelope.traceParent,
          ...bodyColumns(body),
          body_bytes: bodyBytes,
          order_key: orderKey,
          place: index - items.length,
        })),
      ),
    ]);
    const written = idsOf(rows);
    return items.map(({ envelope }) => (takeFirst(written, envelope.id) ? 'admitted' : 'duplicate'));
  }

  async #writeFinishes(items: readonly Finish[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<RunRow>(sql.finishMessages, [
      JSON.stringify(items.map(({ id, fence, result }) => ({ id, fence, result }))),
      JSON.stringify(
        items
          .flatMap((item) => item.emissions.map((emission) => emissionRow(item, emission)))
          .map((row, index, rows) => ({ ...row, place: index - rows.length })),
      ),
      JSON.stringify(items.map((item) => outcomeRow(item))),
    ]);
    return oursAmong(items, rows);
  }

  async #writeRetries(items: readonly Retry[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<RunRow>(sql.retryMessages, [
      JSON.stringify(
        items.map(({ id, fence, delayMs, code, detail, isDegenerate, waitsFor }) => ({
          id,
          fence,
          waits_for: waitsFor,
          delay_ms: Math.round(delayMs),
          is_degenerate: isDegenerate,
          code,
          detail,
        })),
      ),
    ]);
    return oursAmong(items, rows);
  }

  async #writeParks(items: readonly Park[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<RunRow>(sql.parkMessages, [
      JSON.stringify(
        items.map(({ id, fence, delayMs, parkedFor, waitsFor }) => ({
          id,
          fence,
          delay_ms: delayMs === undefined ? undefined : Math.round(delayMs),
          parked_for: parkedFor,
          waits_for: waitsFor,
        })),
      ),
    ]);
    return oursAmong(items, rows);
  }

  async #writeEnds(items: readonly End[]): Promise<boolean[]> {
    const { rows } = await this.#database.query<RunRow>(sql.endMessages, [
      JSON.stringify(
        items.map(({ id, fence, state, code, detail, isDegenerate }) => ({
          id,
          fence,
          state,
          code,
          detail,
          is_degenerate: isDegenerate,
        })),
      ),
      JSON.stringify(items.map((item) => outcomeRow(item))),
    ]);
    return oursAmong(items, rows);
  }
}

/** One run of a message, as the statements answer it. */
interface RunRow {
  readonly id: Uuid;
  readonly fence: number;
}

/** For each run whether it was the one whose word counted: a group may hold what two runs of one message say. */
function oursAmong(items: readonly RunRow[], rows: readonly RunRow[]): boolean[] {
  const taken = new Set(rows.map((row) => runOf(row)));
  return items.map((item) => taken.delete(runOf(item)));
}

function runOf({ id, fence }: RunRow): string {
  return `${id} ${fence}`;
}

function outcomeRow({ id, fence, outcomeLine }: Finish | End): Record<string, unknown> {
  return { message_id: id, fence, line: outcomeLine };
}

function emissionRow(parent: RunRow, emission: Emission): Record<string, unknown> {
  return {
    id: emission.id,
    parent_id: parent.id,
    parent_fence: parent.fence,
    source: emission.source,
    type: emission.type,
    version: emission.version,
    pipeline: emission.pipeline,
    stage: emission.stage,
    owner: emission.owner,
    lane: emission.lane,
    trace_parent: emission.traceParent,
    ...bodyColumns(emission.body),
    body_bytes: emission.bodyBytes,
    order_key: emission.orderKey,
  };
}

function bodyColumns(body: StoredBody): { body: string | null; body_ref: string | null } {
  return body.kind === 'inline'
    ? { body: body.json, body_ref: null }
    : { body: null, body_ref: body.reference };
}

function idsOf(rows: readonly { readonly id: Uuid }[]): Set<Uuid> {
  return new Set(rows.map((row) => row.id));
}

/** True for the first asker of an id that is there: a group may hold the same id twice. */
function takeFirst(ids: Set<Uuid>, id: Uuid): boolean {
  return ids.delete(id);
}
