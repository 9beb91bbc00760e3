import { type Usd, formatUsd } from '../kernel/money.ts';
import type { Reservation } from './reservation.ts';
import type { CallSettlement } from './settlement.ts';

/** A reservation as the statements take it. */
export function reservationRow(item: Reservation): Record<string, unknown> {
  return {
    id: item.id,
    message_id: item.message?.id,
    fence: item.message?.fence,
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
    upper_bound_usd: amount(item.upperBoundUsd),
    parameters: item.parameters,
  };
}

/** A settlement as the statements take it. */
export function settlementRow(item: CallSettlement): Record<string, unknown> {
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
    is_rejected: item.isRejected,
    is_suspect: item.isSuspect,
    line: item.line,
  };
}

function amount(value: Usd | undefined): string | undefined {
  return value === undefined ? undefined : formatUsd(value);
}
