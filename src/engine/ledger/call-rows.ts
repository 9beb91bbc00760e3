import { type JsonRow, jsonRow } from '../../drivers/sql-database/json-rows.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type Usd, formatUsd, isStorableUsd } from '../../kernel/money.ts';
import { usageDetail } from './record-detail.ts';
import type { Reservation } from './reservation.ts';
import type { SettledCall } from './settlement.ts';

/* Calls as the statements take them. Each is made before it joins a group, so that it is refused alone (see jsonRow). */

export interface CallRow {
  readonly id: Uuid;
  readonly row: JsonRow;
}

/** A call about to be made that is under quotas. */
export interface QuotaCallRow extends CallRow {
  readonly quotas: readonly string[];
}

/** A reservation. Throws MILLRACE_DATA_REFUSED, as all of these. */
export function reservationRow(item: Reservation): CallRow {
  return { id: item.id, row: jsonRow('reserve', () => reservedColumns(item)) };
}

/** A reservation under quotas. */
export function quotaReservationRow(item: Reservation): QuotaCallRow {
  const { quotas = [], upperBoundTokens = 0 } = item;
  return {
    id: item.id,
    row: jsonRow('reserve', () => ({
      ...reservedColumns(item),
      upper_bound_tokens: upperBoundTokens,
      quotas,
    })),
    quotas,
  };
}

/** A settlement, whose record is rendered from its row. */
export function settlementRow(item: SettledCall): CallRow {
  return { id: item.id, row: jsonRow('settle', () => settledColumns(item)) };
}

/** A settlement of a call that had been given up, with the rendered corrections. */
export function lateSettlementRow(item: SettledCall, lines: readonly string[]): CallRow {
  return { id: item.id, row: jsonRow('settle', () => ({ ...settledColumns(item), lines })) };
}

/** A call given up, with its usage line. */
export function abandonedRow(item: { readonly id: Uuid; readonly line: string }): CallRow {
  return { id: item.id, row: jsonRow('abandon', () => ({ id: item.id, line: item.line })) };
}

function reservedColumns(item: Reservation): Record<string, unknown> {
  return {
    id: item.id,
    message_id: item.message?.id,
    fencing_token: item.message?.fencingToken,
    origin: item.origin === undefined ? undefined : JSON.stringify(item.origin),
    step: item.step,
    ordinal: item.ordinal,
    attempt: item.attempt,
    provider: item.provider,
    model: item.model,
    operation: item.operation,
    tier: item.tier,
    request_kind: item.requestKind,
    request_digest: item.requestDigest,
    fallback_from: item.fallbackFrom,
    shared_request: item.sharedRequest,
    cascade_place: item.cascade?.place,
    cascade_models: item.cascade?.models,
    via: item.via === 'stage' ? undefined : item.via,
    upper_bound_usd: amount(item.upperBoundUsd),
    parameters: item.parameters,
  };
}

/** The columns that a settlement writes. Throws MILLRACE_DATA_REFUSED. */
export function settledColumns(item: SettledCall): Record<string, unknown> {
  return {
    id: item.id,
    state: item.state,
    outcome: item.outcome,
    settlement: item.settlement,
    error_type: item.errorType,
    answered_model: item.answeredModel,
    tier: item.tier,
    provider_request_id: item.providerRequestId,
    tokens: JSON.stringify(item.tokens),
    raw_usage: item.rawUsage,
    cost_usd: amount(item.costUsd),
    upper_bound_usd: amount(item.upperBoundUsd),
    price_reference: item.priceReference,
    price_catalogue: item.priceCatalogue,
    waste_reason: item.wasteReason,
    duration_ms: Math.round(item.durationMs),
    first_chunk_ms: item.firstChunkMs === undefined ? undefined : Math.round(item.firstChunkMs),
    answer: item.answer !== undefined && 'json' in item.answer ? item.answer.json : undefined,
    answer_ref: item.answer !== undefined && 'reference' in item.answer ? item.answer.reference : undefined,
    is_invalidated: item.isInvalidated,
    is_suspect: item.isSuspect,
    cascade_verdict: item.verdict,
    cascade_usd: amount(item.cascadeUsd),
    detail: usageDetail(item.tokens, item.cost),
  };
}

/** A numeric column takes NaN and infinity, too; a sum with one of them would be of no use for ever. */
function amount(value: Usd | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (isStorableUsd(value)) return formatUsd(value);
  throw new AppError('MILLRACE_DATA_REFUSED', `${value.toString()} is no amount that can be stored`);
}
