import type { Uuid } from '../../kernel/ids.ts';
import { formatUsd, usd } from '../../kernel/money.ts';
import { type OriginColumns, originOfColumns } from '../../engine/ledger/stored-message.ts';
import type { Batch, BatchState, Cause } from './batch.ts';
import type { AppliedCaps } from './caps/cap-settings.ts';
import { batchSettingsSchema } from './batch-settings.ts';

/* How statements answer batches. */

/** The columns of a batch, of the alias `b`. */
export const batchColumns = `b.id, b.team, b.name as batch, b.customer, b.feature, b.labels, b.pipeline, b.type, b.version, b.settings, b.state, b.cause,
  b.priority, b.deadline, b.upload, b.upload_state, b.items, b.chunks, b.succeeded, b.failed, b.expired, b.cancelled, b.skipped,
  b.cost_usd::text as cost_usd, b.unpriced, b.checks, b.checks_passed, b.checks_failed, b.actor, b.created_at, b.started_at, b.ended_at, b.caps`;

/** Such a row. */
export interface BatchRow extends OriginColumns {
  readonly id: Uuid;
  readonly batch: string;
  readonly pipeline: string;
  readonly type: string;
  readonly version: number;
  readonly settings: string;
  readonly state: BatchState;
  readonly cause: string | null;
  readonly priority: number;
  readonly deadline: Date | null;
  readonly upload: Uuid | null;
  readonly upload_state: Batch['uploadState'];
  readonly items: number;
  readonly chunks: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly expired: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly cost_usd: string;
  readonly unpriced: number;
  readonly checks: number | null;
  readonly checks_passed: number;
  readonly checks_failed: number;
  readonly actor: string;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  readonly caps: string | null;
}

export function batchOf(row: BatchRow): Batch {
  const { succeeded, failed, expired, cancelled, skipped } = row;
  return {
    id: row.id,
    origin: { ...originOfColumns(row), batch: row.batch },
    pipeline: row.pipeline,
    type: row.type,
    version: row.version,
    settings: batchSettingsSchema.parse(JSON.parse(row.settings)),
    state: row.state,
    cause: row.cause === null ? undefined : (JSON.parse(row.cause) as Cause),
    priority: row.priority,
    deadline: row.deadline ?? undefined,
    upload: row.upload ?? undefined,
    uploadState: row.upload_state,
    items: row.items,
    chunks: row.chunks,
    caps: row.caps === null ? undefined : (JSON.parse(row.caps) as AppliedCaps),
    ended: { succeeded, failed, expired, cancelled, skipped },
    costUsd: formatUsd(usd(row.cost_usd)),
    unpriced: row.unpriced,
    checks:
      row.checks === null
        ? undefined
        : { drawn: row.checks, passed: row.checks_passed, failed: row.checks_failed },
    actor: row.actor,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
  };
}
