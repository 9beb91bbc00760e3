import type { Uuid } from '../../../kernel/ids.ts';
import type { BatchEnding } from './provider-batch-api.ts';
import type { BatchEndpoint, RequestEnd, RequestOutcome } from './provider-batch-request.ts';
import type { ProviderBatchState, UnresolvedReason } from './provider-batch-state.ts';
import type { ResultFindings } from './result-findings.ts';

/* Provider batches and what became of their requests, as statements answer them. */

/** A provider batch as it stands in the ledger. Times are the caller's clock, but for those of leases. */
export interface ProviderBatch {
  readonly id: Uuid;
  readonly account: string;
  readonly model: string;
  readonly endpoint: BatchEndpoint;
  readonly state: ProviderBatchState;
  readonly requests: number;
  readonly estimatedTokens: number;
  readonly fileId: string | undefined;
  /** The provider's id. */
  readonly providerId: string | undefined;
  readonly stepBeganAt: Date | undefined;
  /** Of the step that does not go on. */
  readonly attempts: number;
  /** How often results that lack requests were read. */
  readonly readings: number;
  /** Since when its steps have failed one after another, or its provider has not been configured. */
  readonly hinderedSince: Date | undefined;
  readonly lastError: string | undefined;
  readonly unresolved: UnresolvedReason | undefined;
  readonly ending: BatchEnding | undefined;
  readonly findings: ResultFindings | undefined;
  readonly cancelRequestedAt: Date | undefined;
  readonly cancelSentAt: Date | undefined;
  /** When it is looked at next. */
  readonly nextAt: Date;
  /** The fencing token of whoever works on it. */
  readonly fence: string;
  readonly plannedAt: Date;
  /** When the provider was known to have it. */
  readonly createdAt: Date | undefined;
  readonly closedAt: Date | undefined;
}

/** Its row. */
export interface BatchRow {
  readonly id: Uuid;
  readonly account: string;
  readonly model: string;
  readonly endpoint: BatchEndpoint;
  readonly state: ProviderBatchState;
  readonly requests: number;
  readonly estimated_tokens: string;
  readonly file_id: string | null;
  readonly provider_id: string | null;
  readonly step_began_at: Date | null;
  readonly attempts: number;
  readonly readings: number;
  readonly hindered_since: Date | null;
  readonly last_error: string | null;
  readonly unresolved: UnresolvedReason | null;
  readonly ending: string | null;
  readonly findings: string | null;
  readonly cancel_requested_at: Date | null;
  readonly cancel_sent_at: Date | null;
  readonly next_at: Date;
  readonly fence: string;
  readonly planned_at: Date;
  readonly created_at: Date | null;
  readonly closed_at: Date | null;
}

/** The row of what became of a request. */
export interface OutcomeRow {
  readonly place: number;
  readonly request_id: string;
  readonly outcome: RequestEnd;
  readonly status_code: number | null;
  readonly result: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
}

export function batchOf(row: BatchRow): ProviderBatch {
  return {
    id: row.id,
    account: row.account,
    model: row.model,
    endpoint: row.endpoint,
    state: row.state,
    requests: row.requests,
    estimatedTokens: Number(row.estimated_tokens),
    fileId: row.file_id ?? undefined,
    providerId: row.provider_id ?? undefined,
    stepBeganAt: row.step_began_at ?? undefined,
    attempts: row.attempts,
    readings: row.readings,
    hinderedSince: row.hindered_since ?? undefined,
    lastError: row.last_error ?? undefined,
    unresolved: row.unresolved ?? undefined,
    // Written by this class alone.
    ending: row.ending === null ? undefined : (JSON.parse(row.ending) as BatchEnding),
    findings: row.findings === null ? undefined : (JSON.parse(row.findings) as ResultFindings),
    cancelRequestedAt: row.cancel_requested_at ?? undefined,
    cancelSentAt: row.cancel_sent_at ?? undefined,
    nextAt: row.next_at,
    fence: row.fence,
    plannedAt: row.planned_at,
    createdAt: row.created_at ?? undefined,
    closedAt: row.closed_at ?? undefined,
  };
}

export function outcomeOf(row: OutcomeRow): RequestOutcome {
  return {
    id: row.request_id,
    outcome: row.outcome,
    statusCode: row.status_code ?? undefined,
    result: row.result ?? undefined,
    error: row.error_code === null ? undefined : { code: row.error_code, message: row.error_message ?? '' },
  };
}
