import type { Uuid } from '../../kernel/ids.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import { type CallWay, callWayOf } from './call-way.ts';

/** The place of a call among the models of a cascade, of which each is asked when the answers before it did not do. */
export interface CascadePlace {
  /** From 1. */
  readonly place: number;
  readonly models: number;
}

/** What is known of a call before it is made, and stays what it is. */
export interface CallDraft {
  readonly id: Uuid;
  readonly step: string;
  /** From 1; above it when an earlier attempt at the same request failed. */
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: 'chat' | 'embeddings';
  readonly tier: string;
  readonly requestKind: 'single' | 'batch';
  /** The model that was meant, when this one is asked in its place. */
  readonly fallbackFrom?: string | undefined;
  /** The HTTP request that it is a part of; absent for a request of its own. */
  readonly sharedRequest?: Uuid | undefined;
  /** Its place in a cascade of models; absent for a call of none. */
  readonly cascade?: CascadePlace | undefined;
  /** By which way it came into the ledger; absent: `stage`. */
  readonly via?: CallWay | undefined;
  /** What the call can cost at most; undefined when no price is known. */
  readonly upperBoundUsd: Usd | undefined;
}

/** A call that stands in the ledger: what every record about it needs. */
export interface StoredCall extends CallDraft {
  /** By the ledger's clock: the time that its quotas, its price and its usage records go by. */
  readonly reservedAt: Date;
}

/** Its row. */
export interface StoredCallRow {
  readonly id: Uuid;
  readonly step: string;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  readonly tier: string;
  readonly request_kind: 'single' | 'batch';
  readonly fallback_from: string | null;
  readonly shared_request: Uuid | null;
  readonly cascade_place: number | null;
  readonly cascade_models: number | null;
  readonly via: string | null;
  readonly upper_bound_usd: string | null;
  readonly reserved_at: Date;
}

/** The call as its row tells it. */
export function storedCallOf(row: StoredCallRow): StoredCall {
  return {
    id: row.id,
    step: row.step,
    attempt: row.attempt,
    provider: row.provider,
    model: row.model,
    operation: row.operation === 'embeddings' ? 'embeddings' : 'chat',
    tier: row.tier,
    requestKind: row.request_kind,
    fallbackFrom: row.fallback_from ?? undefined,
    sharedRequest: row.shared_request ?? undefined,
    cascade:
      row.cascade_place === null || row.cascade_models === null
        ? undefined
        : { place: row.cascade_place, models: row.cascade_models },
    via: callWayOf(row.via),
    upperBoundUsd: row.upper_bound_usd === null ? undefined : usd(row.upper_bound_usd),
    reservedAt: row.reserved_at,
  };
}
