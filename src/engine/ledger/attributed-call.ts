import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import { type StoredCall, type StoredCallRow, storedCallOf } from './stored-call.ts';
import { type OriginColumns, originOfColumns } from './stored-message.ts';

/** Who calls are made for: always an origin, and inside a stage the message. */
export interface CallAttribution {
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

/** A call that stands in the ledger, with whom it is made for: everything that a usage record says whatever its end. */
export interface AttributedCall extends StoredCall, CallAttribution {}

/** Its row, with its message's. */
export interface AttributedCallRow extends StoredCallRow, OriginColumns {
  readonly message_id: Uuid | null;
  readonly call_origin: string | null;
  readonly root_id: Uuid;
  readonly pipeline: string;
  readonly stage: string;
  readonly owner: string;
  readonly item: string;
  readonly trace_parent: string;
}

/** The call as its row tells it. */
export function attributedCallOf(row: AttributedCallRow): AttributedCall {
  return {
    ...storedCallOf(row),
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
