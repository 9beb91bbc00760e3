import { jsonRow, jsonRows } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { readTreeMessages, type TreeMessage } from '../../../engine/ledger/tree-messages.ts';
import type { StoredBody } from '../../../engine/ledger/stored-message.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import { formatUsd, usd } from '../../../kernel/money.ts';
import type { RequestCost, RequestEnd, RequestError, RequestViewer } from '../request.ts';
import * as sql from './ends-sql.ts';

/** A request of which nothing is open, and whose end is not recorded. */
export interface EndingRequest {
  readonly id: Uuid;
  readonly team: string;
  readonly isCancelling: boolean;
  readonly cost: RequestCost;
  /** Of what its pipeline said. */
  readonly bytes: number;
}

/** An end, to be recorded. */
export interface RequestEnding {
  readonly request: EndingRequest;
  readonly state: RequestEnd;
  readonly error: RequestError | undefined;
  readonly result: StoredBody | undefined;
  readonly outputs: number | undefined;
}

/** An end that was recorded. */
export interface RecordedEnd {
  readonly id: Uuid;
  readonly endedAt: Date;
  /** From its acceptance. */
  readonly seconds: number;
}

/** A request that somebody wants to be cancelled. */
export interface CancellingRequest {
  readonly id: Uuid;
  readonly hasOpen: boolean;
}

/** The ends of requests in the ledger: how they are found, what they are composed of, and what is recorded. */
export class RequestEndLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Of these trees those that are requests which have ended, and whose end is not recorded. */
  async findEndedAmong(ids: readonly Uuid[]): Promise<readonly EndingRequest[]> {
    const { rows } = await this.#database.query<EndingRow>(sql.findEndedAmong, [ids]);
    return rows.map((row) => endingOf(row));
  }

  /** Looks at the next open requests. `next`: where to go on; undefined when the last one was looked at. */
  async findEnded(
    after: Uuid,
    { looks, limit }: { readonly looks: number; readonly limit: number },
  ): Promise<{ readonly requests: readonly EndingRequest[]; readonly next: Uuid | undefined }> {
    const { rows } = await this.#database.query<FoundRow>(sql.findEnded, [after, looks, limit]);
    const requests = rows.flatMap((row) => (row.id === null ? [] : [endingOf(row)]));
    if (requests.length === limit) return { requests, next: requests.at(-1)?.id };
    const [place] = rows;
    const next = place !== undefined && place.looked === looks ? place.last_id : null;
    return { requests, next: next ?? undefined };
  }

  readTrees(ids: readonly Uuid[]): Promise<readonly TreeMessage[]> {
    return readTreeMessages(this.#database, ids);
  }

  /** Records the ends; answers those that were not recorded before. */
  async record(endings: readonly RequestEnding[]): Promise<readonly RecordedEnd[]> {
    if (endings.length === 0) return [];
    const told = jsonRows(endings.map((ending) => jsonRow('request ends', () => rowOf(ending))));
    const { rows } = await this.#database.query<{ id: Uuid; ended_at: Date; seconds: number }>(
      sql.recordEnds,
      [told],
    );
    return rows.map(({ id, ended_at: endedAt, seconds }) => ({ id, endedAt, seconds }));
  }

  /** The request is to be cancelled, unless it has ended. Answers how it is; undefined when there is none for the viewer. */
  async askCancel(
    id: string,
    { team, customer, feature }: RequestViewer,
  ): Promise<'queued' | RequestEnd | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await this.#database.query<{ state: 'queued' | RequestEnd }>(sql.askCancel, [
      id,
      team,
      customer,
      feature,
    ]);
    return rows[0]?.state;
  }

  /** Requests that are being cancelled, the longest first. */
  async listCancelling(limit: number): Promise<readonly CancellingRequest[]> {
    const { rows } = await this.#database.query<{ id: Uuid; has_open: boolean }>(sql.listCancelling, [limit]);
    return rows.map(({ id, has_open: hasOpen }) => ({ id, hasOpen }));
  }

  async listOpenMessages(id: Uuid, limit: number): Promise<readonly Uuid[]> {
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.listOpenMessages, [id, limit]);
    return rows.map((row) => row.id);
  }
}

interface EndingRow {
  readonly id: Uuid;
  readonly team: string;
  readonly is_cancelling: boolean;
  readonly calls: number;
  readonly cost_usd: string;
  readonly unpriced: number;
  readonly unsettled: number;
  readonly unsettled_usd: string;
  readonly bytes: string;
}

interface PlaceRow {
  readonly looked: number;
  readonly last_id: Uuid | null;
}

type FoundRow = (PlaceRow & EndingRow) | (PlaceRow & { readonly id: null });

function endingOf(row: EndingRow): EndingRequest {
  return {
    id: row.id,
    team: row.team,
    isCancelling: row.is_cancelling,
    cost: {
      calls: row.calls,
      costUsd: usd(row.cost_usd),
      unpriced: row.unpriced,
      unsettled: row.unsettled,
      unsettledUsd: usd(row.unsettled_usd),
    },
    bytes: Number(row.bytes),
  };
}

function rowOf({
  request: { id, cost },
  state,
  error,
  result,
  outputs,
}: RequestEnding): Readonly<Record<string, unknown>> {
  return {
    id,
    state,
    error_code: error?.code,
    error_message: error?.message,
    error_stage: error?.stage,
    result: result?.kind === 'inline' ? result.json : undefined,
    result_ref: result?.kind === 'payload' ? result.reference : undefined,
    outputs,
    calls: cost.calls,
    cost_usd: formatUsd(cost.costUsd),
    unpriced: cost.unpriced,
    unsettled: cost.unsettled,
    unsettled_usd: formatUsd(cost.unsettledUsd),
  };
}
