import type { Uuid } from '../../kernel/ids.ts';
import type { MessageEnvelope } from '../../messages/message.ts';
import type { Origin } from '../../messages/origin.ts';

/** The data of a stored message: in the row, or in the payload store. */
export type StoredBody =
  | { readonly kind: 'inline'; readonly json: string }
  | { readonly kind: 'payload'; readonly reference: string };

/** A message as the ledger gives it to the worker that leased it. */
export interface LeasedMessage {
  readonly envelope: MessageEnvelope;
  readonly body: StoredBody;
  readonly fencingToken: number;
  /** How often it was handed out, this time included. */
  readonly deliveries: number;
  /** Attempts that failed before and counted, since the message was admitted or last replayed. */
  readonly attempts: number;
  /** Attempts that failed by an invalid output, in the same time; not among `attempts`. */
  readonly invalidOutputAttempts: number;
  /** Failed attempts before its last replay. */
  readonly priorAttempts: number;
  /** How many runs were lost since it last failed by itself or was replayed: their workers let the lease end. */
  readonly expiredLeases: number;
  /** When it became due: the difference to now is what it waited. */
  readonly availableAt: Date;
  /** Messages of its stage with the same key go one after another; undefined when it has none. */
  readonly orderKey: string | undefined;
  /** How many emissions lie between the admitted message and this one. */
  readonly hops: number;
  /** The branch of a join that it belongs to. */
  readonly branchId: Uuid | undefined;
  /** What it emits is outside of that branch. */
  readonly endsBranch: boolean;
  /** The join that it waited for. */
  readonly joinId: Uuid | undefined;
  /** It waited for an outside event, and nobody gave it its data in time. */
  readonly isExpired: boolean;
}

/** One row of the messages table as the statements return it. */
export interface MessageRow {
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
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly batch: string | null;
  readonly labels: string | null;
  readonly item: string;
  readonly trace_parent: string;
  readonly created_at: Date;
  readonly admitted_at: Date;
  readonly body: string | null;
  readonly body_ref: string | null;
  readonly fencing_token: number;
  readonly deliveries: number;
  readonly attempts: number;
  readonly invalid_output_attempts: number;
  readonly prior_attempts: number;
  readonly expired_leases: number;
  readonly available_at: Date;
  readonly order_key: string | null;
  readonly hops: number;
  readonly branch_id: Uuid | null;
  readonly ends_branch: boolean | null;
  readonly join_id: Uuid | null;
  readonly is_expired: boolean | null;
}

/** The columns that an origin is kept in. */
export interface OriginColumns {
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly batch: string | null;
  readonly labels: string | null;
}

export function originOfColumns(row: OriginColumns): Origin {
  const origin = { team: row.team, customer: row.customer, feature: row.feature };
  if (row.batch === null && row.labels === null) return origin;
  return {
    ...origin,
    ...(row.batch === null ? {} : { batch: row.batch }),
    ...(row.labels === null ? {} : { labels: JSON.parse(row.labels) as Record<string, string> }),
  };
}

export function originColumns(origin: Origin): OriginColumns {
  return {
    team: origin.team,
    customer: origin.customer,
    feature: origin.feature,
    batch: origin.batch ?? null,
    labels: origin.labels === undefined ? null : JSON.stringify(origin.labels),
  };
}

export function leasedMessageOf(row: MessageRow): LeasedMessage {
  return {
    envelope: envelopeOf(row),
    body: bodyOf(row),
    fencingToken: row.fencing_token,
    deliveries: row.deliveries,
    attempts: row.attempts,
    invalidOutputAttempts: row.invalid_output_attempts,
    priorAttempts: row.prior_attempts,
    expiredLeases: Math.max(0, row.expired_leases),
    availableAt: row.available_at,
    orderKey: row.order_key ?? undefined,
    hops: row.hops,
    branchId: row.branch_id ?? undefined,
    endsBranch: row.ends_branch === true,
    joinId: row.join_id ?? undefined,
    isExpired: row.is_expired === true,
  };
}

export function envelopeOf(row: MessageRow): MessageEnvelope {
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
    traceParent: row.trace_parent,
    createdAt: row.created_at,
    admittedAt: row.admitted_at,
  };
}

export function bodyOf(row: Pick<MessageRow, 'body' | 'body_ref'>): StoredBody {
  return row.body_ref === null
    ? { kind: 'inline', json: row.body ?? 'null' }
    : { kind: 'payload', reference: row.body_ref };
}
