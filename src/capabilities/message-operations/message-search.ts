import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { isUuid, type Uuid } from '../../kernel/ids.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';
import type { Viewer } from '../../http/operator.ts';
import * as sql from './message-search-sql.ts';
import {
  isNarrowed,
  type MessageFilter,
  type MessagePlace,
  selectionParameters,
} from './message-selection.ts';
import type { MessageState } from '../../engine/ledger/message-state.ts';
import {
  bodyOf,
  envelopeOf,
  type MessageRow,
  type OriginColumns,
  originOfColumns,
  type StoredBody,
} from '../../engine/ledger/stored-message.ts';
import type { MessageEnvelope } from '../../messages/message.ts';

/** A message as it stands in a list or a tree. */
export interface MessageSummary {
  readonly id: Uuid;
  readonly rootId: Uuid;
  readonly parentId: Uuid | undefined;
  readonly source: string;
  readonly eventId: string;
  readonly type: string;
  readonly version: number;
  readonly pipeline: string;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly origin: Origin;
  readonly item: string;
  readonly state: MessageState;
  readonly deliveries: number;
  readonly attempts: number;
  readonly errorCode: string | undefined;
  /** What must be lifted before it goes on ("pause:…", "order"). */
  readonly waitsFor: string | undefined;
  /** When it is due, or was. */
  readonly dueAt: Date;
  /** When it was to start, of one that was sent for later. */
  readonly startAt: Date | undefined;
  /** When it was taken last. */
  readonly takenAt: Date | undefined;
  readonly createdAt: Date;
  readonly finishedAt: Date | undefined;
  readonly calls: number;
  readonly costUsd: Usd;
  /** Calls whose cost is not in it: without a price, and under way or of unknown outcome. */
  readonly unpricedCalls: number;
  readonly unsettledCalls: number;
  /** What its open calls can have cost at most. */
  readonly openUpperBoundUsd: Usd;
}

export interface MessagePage {
  readonly messages: readonly MessageSummary[];
  /** Where the next page begins; undefined when this is the last. */
  readonly next: MessagePlace | undefined;
}

/** How far a message has come, and what followed from it where that counts too. */
export interface MessageProgress {
  readonly rootId: Uuid;
  readonly state: MessageState;
  /** JSON of what the handler returned. */
  readonly result: string | undefined;
  readonly errorCode: string | undefined;
  readonly messages: number;
  readonly open: number;
  /** Those that were given up or cancelled. */
  readonly failed: number;
}

/** How many rows of a team a page looks at when its filter is narrower than teams and times. */
const lookedAtMost = 2000;

/** Finds messages for people: lists, trees, one message's data and how far it has come. */
export class MessageSearch {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** A page, newest first. It may hold fewer than `limit`, even none, though there are more: then it has a next. */
  async list(
    filter: MessageFilter,
    viewer: Viewer,
    { limit, after }: { readonly limit: number; readonly after?: MessagePlace | undefined },
  ): Promise<MessagePage> {
    const looks = isNarrowed(filter) ? Math.max(lookedAtMost, limit + 1) : limit + 1;
    const { rows } = await this.#database.query<ListedRow>(sql.listMessages, [
      ...selectionParameters(filter, viewer),
      after?.createdUs,
      after?.id,
      looks,
      limit + 1,
    ]);
    const found = rows.filter(isFound);
    const shown = found.slice(0, limit);
    return {
      messages: shown.map((row) => summaryOf(row)),
      next: nextOf(found.length > limit ? shown.at(-1) : undefined, rows[0], looks),
    };
  }

  /** Everything in the tree that the message is in, oldest first, up to `limit`; undefined when there is none for the viewer. */
  async tree(
    id: string,
    viewer: Viewer,
    limit: number,
  ): Promise<{ readonly messages: readonly MessageSummary[]; readonly isCut: boolean } | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await this.#database.query<SummaryRow>(sql.listTree, [id, viewer.team, limit + 1]);
    if (rows.length === 0) return undefined;
    return { messages: rows.slice(0, limit).map((row) => summaryOf(row)), isCut: rows.length > limit };
  }

  /** Where the message's data lies, and what its handler returned. */
  async body(
    id: string,
    viewer: Viewer,
  ): Promise<
    | { readonly envelope: MessageEnvelope; readonly body: StoredBody; readonly result: string | undefined }
    | undefined
  > {
    if (!isUuid(id)) return undefined;
    const { rows } = await this.#database.query<MessageRow & { readonly result: string | null }>(
      sql.findBody,
      [id, viewer.team],
    );
    const [row] = rows;
    return row && { envelope: envelopeOf(row), body: bodyOf(row), result: row.result ?? undefined };
  }

  /** How far the message has come; with `children` also all that followed from it. */
  async progress(
    id: string,
    viewer: Viewer,
    { children }: { readonly children: boolean },
  ): Promise<MessageProgress | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await this.#database.query<ProgressRow>(sql.findProgress, [id, viewer.team, children]);
    const [row] = rows;
    if (row === undefined) return undefined;
    const { root_id: rootId, state, result, error_code: errorCode, ...counts } = row;
    return { rootId, state, result: result ?? undefined, errorCode: errorCode ?? undefined, ...counts };
  }
}

interface SummaryRow extends OriginColumns {
  readonly id: Uuid;
  readonly root_id: Uuid;
  readonly parent_id: Uuid | null;
  readonly source: string;
  readonly event_id: string;
  readonly type: string;
  readonly version: number;
  readonly pipeline: string;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly item: string;
  readonly state: MessageState;
  readonly deliveries: number;
  readonly attempts: number;
  readonly invalid_output_attempts: number;
  readonly error_code: string | null;
  readonly parked_for: string | null;
  readonly available_at: Date;
  readonly start_at: Date | null;
  readonly leased_at: Date | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
  readonly calls: number;
  readonly cost_usd: string;
  readonly unpriced_calls: number;
  readonly unsettled_calls: number;
  readonly open_upper_usd: string;
}

interface PlaceRow {
  readonly looked: number;
  readonly last_us: string | null;
  readonly last_id: Uuid | null;
}

type FoundRow = PlaceRow & SummaryRow & { readonly created_us: string };
type ListedRow = FoundRow | (PlaceRow & { readonly id: null });

interface ProgressRow {
  readonly root_id: Uuid;
  readonly state: MessageState;
  readonly result: string | null;
  readonly error_code: string | null;
  readonly messages: number;
  readonly open: number;
  readonly failed: number;
}

function isFound(row: ListedRow): row is FoundRow {
  return row.id !== null;
}

/** Behind the last one shown when more was found; else behind the last one looked at, when there may be more. */
function nextOf(
  last: FoundRow | undefined,
  place: PlaceRow | undefined,
  looks: number,
): MessagePlace | undefined {
  if (last !== undefined) return { createdUs: last.created_us, id: last.id };
  if (place === undefined || place.looked < looks || place.last_us === null || place.last_id === null)
    return undefined;
  return { createdUs: place.last_us, id: place.last_id };
}

function summaryOf(row: SummaryRow): MessageSummary {
  return {
    id: row.id,
    rootId: row.root_id,
    parentId: row.parent_id ?? undefined,
    source: row.source,
    eventId: row.event_id,
    type: row.type,
    version: row.version,
    pipeline: row.pipeline,
    stage: row.stage,
    owner: row.owner,
    lane: row.lane,
    origin: originOfColumns(row),
    item: row.item,
    state: row.state,
    deliveries: row.deliveries,
    attempts: row.attempts + row.invalid_output_attempts,
    errorCode: row.error_code ?? undefined,
    waitsFor: row.parked_for ?? undefined,
    dueAt: row.available_at,
    startAt: row.start_at ?? undefined,
    takenAt: row.leased_at ?? undefined,
    createdAt: row.created_at,
    finishedAt: row.finished_at ?? undefined,
    calls: row.calls,
    costUsd: usd(row.cost_usd),
    unpricedCalls: row.unpriced_calls,
    unsettledCalls: row.unsettled_calls,
    openUpperBoundUsd: usd(row.open_upper_usd),
  };
}
