import { jsonRow, jsonRows, type JsonRow } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { originColumns } from '../../../engine/ledger/stored-message.ts';
import type { WebhookNames } from '../../../engine/ledger/webhook-names.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { GroupCommit } from '../../../kernel/group-commit.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { BoundRegistry } from '../../../telemetry/bounds.ts';
import type { AcceptedRequest } from '../request.ts';
import * as sql from './intake-sql.ts';

/** What a client said the request is once. */
export interface IdempotencyKey {
  readonly key: string;
  /** Of everything that was asked. */
  readonly fingerprint: string;
  /** For how long the key stands for the request. */
  readonly forMs: number;
}

/** A request that is to be written. */
export interface NewRequest extends Omit<AcceptedRequest, 'createdAt'> {
  readonly idempotency: IdempotencyKey | undefined;
}

/** The request that a key stands for. */
export interface KeyedRequest {
  readonly id: Uuid;
  readonly fingerprint: string;
  readonly createdAt: Date;
  /** Whether its message was written. */
  readonly isAdmitted: boolean;
}

interface Entry {
  readonly id: Uuid;
  /** What tells keys apart; undefined without one. */
  readonly place: string | undefined;
  readonly row: JsonRow;
}

/** The rows of requests on their way in. Many that come at once share a transaction. */
export class RequestLedger {
  readonly #database: SqlDatabase;
  readonly #webhooks: Pick<WebhookNames, 'has'>;
  readonly #writes: GroupCommit<Entry, Date | undefined>;

  constructor({
    database,
    webhooks,
    clock,
    bounds,
  }: {
    readonly database: SqlDatabase;
    readonly webhooks: Pick<WebhookNames, 'has'>;
    readonly clock: Clock;
    readonly bounds?: BoundRegistry<'request_writes'>;
  }) {
    this.#database = database;
    this.#webhooks = webhooks;
    this.#writes = new GroupCommit({
      name: 'request_writes',
      clock,
      flush: (entries) => this.#write(entries),
      maxGroup: 400,
      maxWaiting: 20_000,
    });
    bounds?.register('request_writes', this.#writes);
  }

  /** Writes the request, and says since when it is there; undefined when its key stands for another. The same one again changes nothing. */
  async write(request: NewRequest): Promise<Date | undefined> {
    const { id, origin, idempotency } = request;
    // First: what cannot be written as JSON is refused with its field.
    const row = jsonRow('requests', () => rowOf(request));
    const place = idempotency && JSON.stringify([origin.team, idempotency.key]);
    return await this.#writes.submit({ id, place, row });
  }

  /** Whether requests of the team may name the webhook. */
  hasWebhook(name: string, team: string): Promise<boolean> {
    return this.#webhooks.has(name, team);
  }

  /** The request that the team's key stands for by now. */
  async findByKey(team: string, key: string): Promise<KeyedRequest | undefined> {
    const { rows } = await this.#database.query<KeyedRow>(sql.findByKey, [team, key]);
    const [row] = rows;
    return (
      row && {
        id: row.id,
        fingerprint: row.fingerprint,
        createdAt: row.created_at,
        isAdmitted: row.is_admitted,
      }
    );
  }

  /** Of several entries with one key the first is written; the others find it. */
  async #write(entries: readonly Entry[]): Promise<readonly (Date | undefined)[]> {
    const places = new Set<string>();
    const first = entries.filter(({ place }) => {
      if (place === undefined) return true;
      const isFirst = !places.has(place);
      places.add(place);
      return isFirst;
    });
    const { rows } = await this.#database.query<{ id: Uuid; created_at: Date }>(sql.writeRequests, [
      jsonRows(first.map(({ row }) => row)),
    ]);
    const written = new Map(rows.map(({ id, created_at: createdAt }) => [id, createdAt]));
    return entries.map(({ id }) => written.get(id));
  }
}

interface KeyedRow {
  readonly id: Uuid;
  readonly fingerprint: string;
  readonly created_at: Date;
  readonly is_admitted: boolean;
}

function rowOf({
  id,
  origin,
  pipeline,
  type,
  version,
  actor,
  options,
  idempotency,
}: NewRequest): Readonly<Record<string, unknown>> {
  const { team, customer, feature, labels } = originColumns(origin);
  return {
    id,
    team,
    customer,
    feature,
    labels,
    pipeline,
    type,
    version,
    actor,
    on_disconnect: options.onDisconnect,
    disconnect_grace_ms: options.disconnectGraceMs,
    webhook: options.webhook,
    key: idempotency?.key,
    fingerprint: idempotency?.fingerprint,
    key_ms: idempotency?.forMs,
  };
}
