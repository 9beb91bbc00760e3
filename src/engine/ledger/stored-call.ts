import type { Uuid } from '../../kernel/ids.ts';

/** A call as it is read back from its row: what every record about it needs. */
export interface StoredCall {
  readonly id: Uuid;
  readonly step: string;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: 'chat' | 'embeddings';
  readonly tier: string;
  readonly requestKind: 'single' | 'batch';
  /** The model that was meant, when this one stood in for it. */
  readonly fallbackFrom: string | undefined;
  /** By the ledger's clock; the time of the call's usage record. */
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
    reservedAt: row.reserved_at,
  };
}
