import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import {
  type OriginColumns,
  originOfColumns,
  type StoredBody,
} from '../../../engine/ledger/stored-message.ts';
import type { RequestViewer } from '../request.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import { usd } from '../../../kernel/money.ts';
import type {
  AcceptedRequest,
  DisconnectRule,
  RequestCost,
  RequestEnd,
  RequestError,
  RequestState,
} from '../request.ts';
import * as sql from './state-sql.ts';

/** A request as it stands. */
export interface StandingRequest extends AcceptedRequest {
  readonly state: RequestState;
  readonly cancelAskedAt: Date | undefined;
  readonly endedAt: Date | undefined;
  readonly error: RequestError | undefined;
  /** What the pipeline said at its end: with 1 the result is that, otherwise a list of all. */
  readonly outputs: number | undefined;
  /** So far, or of all. Undefined in lists, of one that has not ended. */
  readonly cost: RequestCost | undefined;
}

/** One request with all that is known of it. */
export interface FoundRequest extends StandingRequest {
  /** Undefined as well where it was not wanted. */
  readonly result: StoredBody | undefined;
  readonly cost: RequestCost;
  /** Where it is by now: the stage of the message that has come furthest. */
  readonly stage: string | undefined;
  /** Messages of it that have not ended. */
  readonly open: number;
}

/** Which requests. A part that is absent selects everything. */
export interface RequestFilter {
  readonly team?: readonly string[] | undefined;
  readonly customer?: readonly string[] | undefined;
  readonly feature?: readonly string[] | undefined;
  readonly pipeline?: readonly string[] | undefined;
  readonly state?: readonly RequestState[] | undefined;
}

export interface RequestPage {
  readonly requests: readonly StandingRequest[];
  /** The request behind which the next page begins; undefined when this is the last. */
  readonly next: Uuid | undefined;
}

/** How many requests a page looks at when its filter is narrower than teams. */
const lookedAtMost = 2000;

/** Requests as they stand in the ledger. */
export class RequestStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The request; undefined when there is none for the viewer. Its result, or where that lies, only where it is wanted. */
  async find(
    id: string,
    { team, customer, feature }: RequestViewer,
    { withResult }: { readonly withResult: boolean },
  ): Promise<FoundRequest | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await this.#database.query<FoundRow>(sql.findRequest, [
      id,
      team,
      customer,
      feature,
      withResult,
    ]);
    const [row] = rows;
    if (row === undefined) return undefined;
    const { result, result_ref: reference, open, stage } = row;
    return {
      ...standingOf(row),
      cost: costOf(row),
      result:
        reference === null
          ? result === null
            ? undefined
            : { kind: 'inline', json: result }
          : { kind: 'payload', reference },
      stage: stage ?? undefined,
      open: open ?? 0,
    };
  }

  /** Which of these have ended. */
  async listEndedAmong(ids: readonly Uuid[]): Promise<ReadonlySet<Uuid>> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.listEndedAmong, [ids]);
    return new Set(rows.map(({ id }) => id));
  }

  /** A page, newest first. It may hold fewer than `limit`, even none, though there are more: then it has a next. */
  async list(
    filter: RequestFilter,
    viewer: RequestViewer,
    { limit, after }: { readonly limit: number; readonly after?: Uuid | undefined },
  ): Promise<RequestPage> {
    const { customer, feature, pipeline, state } = filter;
    const narrowing = [customer, feature, pipeline, state, viewer.customer, viewer.feature];
    const isNarrowed = narrowing.some((values) => values !== undefined);
    const looks = isNarrowed ? Math.max(lookedAtMost, limit + 1) : limit + 1;
    const { rows } = await this.#database.query<ListedRow>(sql.listRequests, [
      viewer.team,
      filter.team,
      customer,
      feature,
      pipeline,
      state,
      after,
      looks,
      limit + 1,
      viewer.customer,
      viewer.feature,
    ]);
    const found = rows.flatMap((row) => (row.id === null ? [] : [row]));
    const shown = found.slice(0, limit);
    const [first] = rows;
    const last = found.length > limit ? shown.at(-1)?.id : undefined;
    const behindLooked =
      first !== undefined && first.looked === looks ? (first.last_id ?? undefined) : undefined;
    return { requests: shown.map((row) => standingOf(row)), next: last ?? behindLooked };
  }
}

interface CostColumns {
  readonly calls: number | null;
  readonly cost_usd: string | null;
  readonly unpriced: number | null;
  readonly unsettled: number | null;
  readonly unsettled_usd: string | null;
}

interface StandingRow extends Omit<OriginColumns, 'batch'>, CostColumns {
  readonly id: Uuid;
  readonly pipeline: string;
  readonly type: string;
  readonly version: number;
  readonly actor: string;
  readonly on_disconnect: DisconnectRule;
  readonly disconnect_grace_ms: number;
  readonly webhook: string | null;
  readonly state: 'queued' | RequestEnd;
  readonly created_at: Date;
  readonly cancel_asked_at: Date | null;
  readonly ended_at: Date | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly error_stage: string | null;
  readonly outputs: number | null;
  readonly has_begun: boolean;
}

interface FoundRow extends StandingRow {
  readonly result: string | null;
  readonly result_ref: string | null;
  readonly open: number | null;
  readonly stage: string | null;
}

interface PlaceRow {
  readonly looked: number;
  readonly last_id: Uuid | null;
}

type ListedRow = (PlaceRow & StandingRow) | (PlaceRow & { readonly id: null });

function standingOf(row: StandingRow): StandingRequest {
  return {
    id: row.id,
    origin: originOfColumns({ ...row, batch: null }),
    pipeline: row.pipeline,
    type: row.type,
    version: row.version,
    actor: row.actor,
    options: {
      onDisconnect: row.on_disconnect,
      disconnectGraceMs: row.disconnect_grace_ms,
      webhook: row.webhook ?? undefined,
    },
    createdAt: row.created_at,
    state: row.state === 'queued' && row.has_begun ? 'running' : row.state,
    cancelAskedAt: row.cancel_asked_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    error:
      row.error_code === null
        ? undefined
        : { code: row.error_code, message: row.error_message ?? '', stage: row.error_stage ?? undefined },
    outputs: row.outputs ?? undefined,
    cost: row.ended_at === null ? undefined : costOf(row),
  };
}

function costOf(row: CostColumns): RequestCost {
  return {
    calls: row.calls ?? 0,
    costUsd: usd(row.cost_usd ?? '0'),
    unpriced: row.unpriced ?? 0,
    unsettled: row.unsettled ?? 0,
    unsettledUsd: usd(row.unsettled_usd ?? '0'),
  };
}
