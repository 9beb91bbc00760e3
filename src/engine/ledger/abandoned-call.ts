import type { Uuid } from '../../kernel/ids.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';
import { type StoredCall, type StoredCallRow, storedCallOf } from './stored-call.ts';
import { type OriginColumns, originOfColumns } from './stored-message.ts';

/** A call whose maker is gone; everything that its usage record needs. */
export interface AbandonedCall extends StoredCall {
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
export interface AbandonedCallRow extends StoredCallRow, OriginColumns {
  readonly message_id: Uuid | null;
  readonly call_origin: string | null;
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
    ...storedCallOf(row),
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
