import type { Uuid } from '../../kernel/ids.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';
import { type OriginColumns, originOfColumns } from './stored-message.ts';

/** A call whose maker is gone; everything that its usage record needs. */
export interface AbandonedCall {
  readonly id: Uuid;
  readonly step: string;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  readonly tier: string;
  readonly requestKind: 'single' | 'batch';
  readonly fallbackFrom: string | undefined;
  readonly reservedAt: Date;
  readonly upperBoundUsd: Usd | undefined;
  readonly origin: Origin;
  readonly message:
    | {
        readonly id: Uuid;
        readonly rootId: Uuid;
        readonly pipeline: string;
        readonly stage: string;
        readonly owner: string;
        readonly item: string;
        readonly traceParent: string;
      }
    | undefined;
}

/** Its row, with its message's. */
export interface AbandonedCallRow extends OriginColumns {
  readonly id: Uuid;
  readonly message_id: Uuid | null;
  readonly call_origin: string | null;
  readonly step: string;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  readonly tier: string;
  readonly request_kind: 'single' | 'batch';
  readonly fallback_from: string | null;
  readonly reserved_at: Date;
  readonly upper_bound_usd: string | null;
  readonly root_id: Uuid;
  readonly pipeline: string;
  readonly stage: string;
  readonly owner: string;
  readonly item: string;
  readonly trace_parent: string;
}

/** The call as its row tells it. */
export function abandonedCallOf(row: AbandonedCallRow): AbandonedCall {
  return {
    id: row.id,
    step: row.step,
    attempt: row.attempt,
    provider: row.provider,
    model: row.model,
    operation: row.operation,
    tier: row.tier,
    requestKind: row.request_kind,
    fallbackFrom: row.fallback_from ?? undefined,
    reservedAt: row.reserved_at,
    upperBoundUsd: row.upper_bound_usd === null ? undefined : usd(row.upper_bound_usd),
    origin: row.call_origin === null ? originOfColumns(row) : (JSON.parse(row.call_origin) as Origin),
    message:
      row.message_id === null
        ? undefined
        : {
            id: row.message_id,
            rootId: row.root_id,
            pipeline: row.pipeline,
            stage: row.stage,
            owner: row.owner,
            item: row.item,
            traceParent: row.trace_parent,
          },
  };
}
