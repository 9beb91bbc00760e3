import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import * as sql from './endpoint-sql.ts';
import type { SigningScheme } from './webhook-secret.ts';

/** An endpoint as the ledger has it. */
export interface EndpointRow {
  readonly id: Uuid;
  readonly kind: 'configured' | 'subscription';
  readonly name: string;
  readonly team: string | null;
  readonly url: string | null;
  readonly events: readonly string[];
  readonly signing: SigningScheme;
  readonly secret: string | null;
  readonly previous_until: Date | null;
  readonly state: 'enabled' | 'disabled';
  readonly cause: 'operator' | 'gone' | 'exhausted' | null;
  readonly state_at: Date | null;
  readonly not_before: Date | null;
  readonly taken_at: Date | null;
  readonly created_at: Date;
}

/** A delivery as the ledger has it, with the last of its attempts. */
export interface DeliveryRow {
  readonly id: Uuid;
  readonly event_id: Uuid;
  readonly endpoint_id: Uuid;
  readonly state: 'pending' | 'delivered' | 'failed';
  readonly attempts: number;
  readonly next_at: Date;
  readonly created_at: Date;
  readonly ended_at: Date | null;
  readonly type: string;
  readonly subject: Uuid | null;
  readonly last_at: Date | null;
  readonly last_status: number | null;
  readonly last_problem: string | null;
}

export interface AttemptRow {
  readonly attempt: number;
  readonly at: Date;
  readonly duration_ms: number;
  readonly status: number | null;
  readonly problem: string | null;
  readonly excerpt: string | null;
}

/** A place in a list of deliveries: when it was written, in microseconds, and its id. */
export interface DeliveryPlace {
  readonly atUs: string;
  readonly id: Uuid;
}

/** What an entry of the audit is written with. */
export interface AuditMark {
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
}

export interface NewEndpoint {
  readonly id: Uuid;
  readonly name: string;
  readonly team: string | undefined;
  readonly url: string;
  readonly events: readonly string[];
  readonly signing: SigningScheme;
  readonly secret: string;
}

/** Endpoints and deliveries of the ledger. A team sees its own: of others nothing is found. */
export class EndpointStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  list(team: string | undefined, after: Uuid, limit: number): Promise<readonly EndpointRow[]> {
    return this.#rows(sql.listEndpoints, [team, after, limit]);
  }

  find(id: Uuid, team: string | undefined): Promise<EndpointRow | undefined> {
    return this.#first(sql.findEndpoint, [id, team]);
  }

  /** Undefined where the team has one of the name, or as many as it may have. */
  insert(
    { id, name, team, url, events, signing, secret }: NewEndpoint,
    most: number,
    audit: AuditMark,
  ): Promise<EndpointRow | undefined> {
    const parameters = [id, name, team, url, events, signing, secret, most, ...markOf(audit)];
    return this.#first(sql.insertEndpoint, parameters);
  }

  async hasName(name: string, team: string | undefined): Promise<boolean> {
    return (await this.#rows(sql.findEndpointByName, [name, team])).length > 0;
  }

  rotate(
    id: Uuid,
    team: string | undefined,
    { secret, overlapSeconds }: { readonly secret: string; readonly overlapSeconds: number },
    audit: AuditMark,
  ): Promise<EndpointRow | undefined> {
    return this.#first(sql.rotateSecret, [id, team, secret, overlapSeconds, ...markOf(audit)]);
  }

  setState(
    id: Uuid,
    team: string | undefined,
    state: EndpointRow['state'],
    audit: AuditMark,
  ): Promise<EndpointRow | undefined> {
    return this.#first(sql.setState, [id, team, state, ...markOf(audit)]);
  }

  delete(id: Uuid, team: string | undefined, audit: AuditMark): Promise<EndpointRow | undefined> {
    return this.#first(sql.deleteEndpoint, [id, team, ...markOf(audit)]);
  }

  /** Writes an event for this endpoint alone; undefined where it is not enabled. */
  async writeTest(
    id: Uuid,
    team: string | undefined,
    event: { readonly id: Uuid; readonly delivery: Uuid; readonly type: string; readonly body: string },
    audit: Pick<AuditMark, 'id' | 'actor'>,
  ): Promise<Uuid | undefined> {
    const parameters = [id, team, event.id, event.delivery, event.type, event.body, audit.id, audit.actor];
    return (await this.#first<{ readonly id: Uuid }>(sql.writeTestEvent, parameters))?.id;
  }

  listDeliveries(
    id: Uuid,
    team: string | undefined,
    {
      state,
      after,
      limit,
    }: {
      readonly state?: string | undefined;
      readonly after?: DeliveryPlace | undefined;
      readonly limit: number;
    },
  ): Promise<readonly (DeliveryRow & { readonly at_us: string })[]> {
    return this.#rows(sql.listDeliveries, [id, team, state, after?.atUs, after?.id, limit]);
  }

  findDelivery(
    id: Uuid,
    team: string | undefined,
  ): Promise<(DeliveryRow & { readonly body: string }) | undefined> {
    return this.#first(sql.findDelivery, [id, team]);
  }

  /** The latest attempts of a delivery, the last one first. */
  listAttempts(delivery: Uuid, limit: number): Promise<readonly AttemptRow[]> {
    return this.#rows(sql.listAttempts, [delivery, limit]);
  }

  async redeliver(id: Uuid, team: string | undefined, audit: AuditMark): Promise<boolean> {
    return (await this.#rows(sql.redeliver, [id, team, ...markOf(audit)])).length > 0;
  }

  /** Answers how many. */
  async redeliverFailed(
    id: Uuid,
    team: string | undefined,
    { from, to, max }: { readonly from: Date; readonly to: Date; readonly max: number },
    audit: AuditMark,
  ): Promise<number> {
    return (await this.#rows(sql.redeliverFailed, [id, team, from, to, max, ...markOf(audit)])).length;
  }

  async #rows<Row>(statement: SqlStatement, parameters: readonly unknown[]): Promise<readonly Row[]> {
    return (await this.#database.query<Row>(statement, parameters)).rows;
  }

  async #first<Row>(statement: SqlStatement, parameters: readonly unknown[]): Promise<Row | undefined> {
    return (await this.#rows<Row>(statement, parameters))[0];
  }
}

function markOf({ id, actor, reason }: AuditMark): readonly unknown[] {
  return [id, actor, reason];
}
