import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import * as sql from './delivery-sql.ts';
import type { ServedEndpoint } from './delivery-turns.ts';
import type { disabledCauses } from './webhook-metrics.ts';

/** An attempt that is begun: what is sent, and to whom. */
export interface ClaimedDelivery {
  readonly id: Uuid;
  readonly attempt: number;
  /** Attempts since it was queued, with this one. */
  readonly step: number;
  readonly event: Uuid;
  readonly event_team: string;
  readonly body: string;
  readonly endpoint: Uuid;
  readonly kind: 'configured' | 'subscription';
  readonly name: string;
  readonly team: string | null;
  readonly url: string | null;
  readonly secret: string | null;
  readonly previous_secret: string | null;
}

/** What became of an attempt. */
export interface EndedAttempt {
  readonly id: Uuid;
  readonly attempt: number;
  readonly at: Date;
  readonly durationMs: number;
  readonly status?: number | undefined;
  readonly problem?: string | undefined;
  readonly excerpt?: string | undefined;
  readonly result: 'delivered' | 'failed' | 'gone';
  /** Until the next attempt, if there is one. */
  readonly pauseSeconds: number;
  /** For how long the endpoint asks to be left alone. */
  readonly slowSeconds?: number | undefined;
}

/** An endpoint that was disabled because of what it answered. */
export interface DisabledEndpoint {
  readonly id: Uuid;
  readonly name: string;
  readonly team: string | null;
  readonly cause: 'gone' | 'exhausted';
}

export interface DueEndpoint extends ServedEndpoint {
  readonly is_due: boolean;
}

export interface WaitingDeliveries {
  readonly waiting: number;
  readonly oldest_seconds: number;
  readonly disabled: Readonly<Partial<Record<(typeof disabledCauses)[number], number>>>;
}

type RecordedRow =
  | { readonly id: Uuid; readonly state: 'failed'; readonly cause: null }
  | (DisabledEndpoint & { readonly state: null });

const firstId = '00000000-0000-0000-0000-000000000000';
/** An attempt that is not recorded is made again after so long: it has ended by then. */
const leaseSeconds = 60;
const lostAtOnce = 100;

/** The deliveries of the ledger, as what sends them needs them. */
export class DeliveryStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Endpoints for which something waits, after one, in the order of their ids. */
  async listEndpoints(after: Uuid | undefined, limit: number): Promise<readonly DueEndpoint[]> {
    return (await this.#database.query<DueEndpoint>(sql.listDueEndpoints, [after ?? firstId, limit])).rows;
  }

  /** Begins attempts, the oldest of each endpoint. */
  async claim(rooms: ReadonlyMap<Uuid, number>): Promise<readonly ClaimedDelivery[]> {
    const parameters = [[...rooms.keys()], [...rooms.values()], leaseSeconds];
    return (await this.#database.query<ClaimedDelivery>(sql.claimDeliveries, parameters)).rows;
  }

  /** Records what became of attempts; a repeat changes nothing. */
  async record(
    ended: readonly EndedAttempt[],
  ): Promise<{ readonly givenUp: readonly Uuid[]; readonly disabled: readonly DisabledEndpoint[] }> {
    const { rows } = await this.#database.query<RecordedRow>(sql.recordAttempts, [JSON.stringify(ended)]);
    return {
      givenUp: rows.flatMap((row) => (row.state === 'failed' ? [row.id] : [])),
      disabled: rows.flatMap((row) => (row.state === null ? [row] : [])),
    };
  }

  /** Gives up on deliveries whose last attempt nobody recorded. */
  async giveUpLost(): Promise<readonly Uuid[]> {
    const { rows } = await this.#database.query<{ readonly id: Uuid }>(sql.giveUpDeliveries, [lostAtOnce]);
    return rows.map(({ id }) => id);
  }

  async count(): Promise<WaitingDeliveries> {
    const { rows } = await this.#database.query<WaitingDeliveries>(sql.countDeliveries);
    return rows[0] ?? { waiting: 0, oldest_seconds: 0, disabled: {} };
  }

  /** Removes old events with their deliveries; answers how many. */
  async prune(keepDays: number, limit: number): Promise<number> {
    return (await this.#database.query(sql.pruneEvents, [keepDays, limit])).rows.length;
  }
}
