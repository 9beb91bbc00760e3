import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import type { MessageState } from '../../engine/ledger/message-state.ts';
import type { Viewer } from '../../http/operator.ts';
import { type MessageFilter, selectionParameters } from './message-selection.ts';
import { listNewMessages, listTailedCalls, listTailedFailures, readTailed } from './message-tail-sql.ts';

/*
 * Follows what happens, from now on, by looking again and again: messages that were written since, and of those that are
 * open their ends, failures and settled calls. It reads by index and only what it follows, however large the ledger is.
 * A message that was there before is followed once it has a call under way.
 */

/** Something that happened to a message. */
export type TailEvent = {
  readonly at: Date;
  readonly id: Uuid;
  readonly stage: string;
  readonly team: string;
  readonly customer: string;
} & (
  | { readonly kind: 'written'; readonly eventId: string; readonly isEmitted: boolean }
  | { readonly kind: 'failure'; readonly code: string; readonly retryable: boolean }
  | {
      readonly kind: 'call';
      readonly model: string;
      readonly state: string;
      readonly outcome: string | undefined;
      readonly durationMs: number | undefined;
      readonly costUsd: Usd | undefined;
    }
  | { readonly kind: 'ended'; readonly state: MessageState; readonly errorCode: string | undefined }
);

/** What one look saw. */
export interface TailLook {
  /** In the order in which they happened. */
  readonly events: readonly TailEvent[];
  /** How many messages could not be followed, because too many are open. */
  readonly missed: number;
}

/** How many messages are followed at once, and how many new ones a look takes. */
const maxFollowed = 5000;
const maxNew = 1000;

interface Followed {
  readonly about: Pick<TailEvent, 'id' | 'stage' | 'team' | 'customer'>;
  fencingToken: number;
  readonly calls: Set<Uuid>;
}

export class MessageTail {
  readonly #database: SqlDatabase;
  readonly #followed = new Map<Uuid, Followed>();
  /** New ones of late: a transaction that began earlier may commit later, so that looks overlap. */
  #recent = new Map<Uuid, number>();
  #sinceUs: string | undefined;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** What has happened since the last look; the first one only finds out where to begin. */
  async look(filter: MessageFilter, viewer: Viewer): Promise<TailLook> {
    const events: TailEvent[] = [];
    const isFirst = this.#sinceUs === undefined;
    const { rows } = await this.#database.query<NewRow>(listNewMessages, [
      ...selectionParameters(filter, viewer),
      this.#sinceUs,
      maxNew,
    ]);
    let missed = 0;
    for (const row of rows) {
      this.#sinceUs = row.next_us;
      if (row.id === null || this.#recent.has(row.id)) continue;
      const about = { id: row.id, stage: row.stage, team: row.team, customer: row.customer };
      this.#recent.set(row.id, row.created_at.getTime());
      if (row.is_new && !isFirst)
        events.push({
          ...about,
          kind: 'written',
          at: row.created_at,
          eventId: row.event_id,
          isEmitted: row.parent_id !== null,
        });
      if (this.#followed.has(row.id)) continue;
      if (this.#followed.size >= maxFollowed) missed += 1;
      else
        this.#followed.set(row.id, {
          about,
          fencingToken: row.is_new ? -1 : row.fencing_token - 1,
          calls: new Set(),
        });
    }
    this.#forgetOld();
    events.push(...(await this.#happened()));
    return { events: events.toSorted((one, other) => one.at.getTime() - other.at.getTime()), missed };
  }

  async #happened(): Promise<readonly TailEvent[]> {
    const ids = [...this.#followed.keys()];
    if (ids.length === 0) return [];
    // The states first: what led to an end was written with it or before it.
    const { rows: states } = await this.#database.query<StateRow>(readTailed, [ids]);
    const fencingTokens = ids.map((id) => this.#followed.get(id)?.fencingToken ?? 0);
    const [failures, calls] = await Promise.all([
      this.#database.query<FailureRow>(listTailedFailures, [ids, fencingTokens]),
      this.#database.query<CallRow>(listTailedCalls, [ids]),
    ]);
    const events: TailEvent[] = [];
    for (const { message_id: id, fencing_token: fencingToken, at, code, retryable } of failures.rows) {
      const followed = this.#followed.get(id);
      if (followed === undefined) continue;
      followed.fencingToken = Math.max(followed.fencingToken, fencingToken);
      events.push({ ...followed.about, kind: 'failure', at, code, retryable });
    }
    for (const row of calls.rows) {
      const followed = this.#followed.get(row.message_id);
      if (followed === undefined || followed.calls.has(row.id)) continue;
      followed.calls.add(row.id);
      events.push({
        ...followed.about,
        kind: 'call',
        at: row.settled_at,
        model: `${row.provider}/${row.model}`,
        state: row.state,
        outcome: row.outcome ?? undefined,
        durationMs: row.duration_ms ?? undefined,
        costUsd: row.cost_usd === null ? undefined : usd(row.cost_usd),
      });
    }
    const open = new Set(ids);
    for (const { id, state, error_code: code, finished_at: at } of states) {
      const followed = this.#followed.get(id);
      if (at === null || followed === undefined) {
        open.delete(id);
        continue;
      }
      events.push({ ...followed.about, kind: 'ended', at, state, errorCode: code ?? undefined });
    }
    // What is left has ended, or has left the ledger.
    for (const id of open) this.#followed.delete(id);
    return events;
  }

  #forgetOld(): void {
    const newest = Math.max(0, ...this.#recent.values());
    this.#recent = new Map([...this.#recent].filter(([, at]) => at > newest - 60_000));
  }
}

interface NewRow {
  readonly next_us: string;
  readonly is_new: boolean;
  readonly id: Uuid | null;
  readonly parent_id: Uuid | null;
  readonly event_id: string;
  readonly stage: string;
  readonly team: string;
  readonly customer: string;
  readonly fencing_token: number;
  readonly created_at: Date;
}

interface StateRow {
  readonly id: Uuid;
  readonly state: MessageState;
  readonly error_code: string | null;
  readonly finished_at: Date | null;
}

interface FailureRow {
  readonly message_id: Uuid;
  readonly fencing_token: number;
  readonly at: Date;
  readonly code: string;
  readonly retryable: boolean;
}

interface CallRow {
  readonly id: Uuid;
  readonly message_id: Uuid;
  readonly provider: string;
  readonly model: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly duration_ms: number | null;
  readonly cost_usd: string | null;
  readonly settled_at: Date;
}
