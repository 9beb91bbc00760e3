import { derivedId, type Uuid } from '../../kernel/ids.ts';
import { type Usd, zeroUsd } from '../../kernel/money.ts';
import type { AbandonedCall } from '../ledger/abandoned-call.ts';
import type { SettledCall, WasteReason } from '../ledger/settlement.ts';
import type { CorrectableCall } from '../ledger/correction-ledger.ts';
import type { AnsweredCall } from '../ledger/invalid-output-ledger.ts';
import { type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import { countsOfCall, countsOfCorrection, type UsageRecord } from '../export/usage-record.ts';
import type { CallAttribution } from './call-attribution.ts';

/*
 * The usage records about a call that its row alone does not tell: of the sweep that finds it abandoned, the truth that came after that,
 * and the rejection of its answer. The record of its own settlement is rendered from its row (usage_line in the ledger's migrations).
 * The records of one call always add up to what the row says at the end: cost, upper bound, and the counts of calls, unpriced, unsettled
 * and estimated ones.
 */

/** What is known about a call when it is sent. */
export interface CallFacts {
  readonly id: Uuid;
  readonly owner: CallAttribution;
  readonly step: string;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: 'chat' | 'embeddings';
  readonly requestKind: 'single' | 'batch';
  /** The model that was meant, when this one stands in for it. */
  readonly fallbackFrom: string | undefined;
  /** When it was reserved, by the ledger's clock: the time that its quotas, its price and its reports go by. */
  readonly sentAt: Date;
  readonly upperBoundUsd: Usd | undefined;
}

/** The record of a call whose maker is gone: nobody knows what it cost, its upper bound stands. */
export function recordOfAbandoned(call: AbandonedCall, recordedAt: Date): UsageRecord {
  const isPriced = call.upperBoundUsd !== undefined;
  return {
    ...recordOfFacts(factsOfAbandoned(call), recordedAt),
    recordId: call.id,
    recordKind: 'call',
    tier: call.tier,
    outcome: 'unsettled',
    settlement: 'unsettled',
    counts: countsOfCall('unsettled', isPriced),
    tokens: {},
    costByClass: {},
    wasteReason: 'aborted',
    durationMs: 0,
    ...(call.upperBoundUsd === undefined ? {} : { costUsd: zeroUsd, upperBoundUsd: call.upperBoundUsd }),
  };
}

/** The record of the truth about a call that had been given up as unsettled: the difference to that record. */
export function recordOfCorrection(facts: CallFacts, end: SettledCall, recordedAt: Date): UsageRecord {
  const boundBefore = facts.upperBoundUsd;
  return {
    ...recordOfFacts(facts, recordedAt),
    recordId: derivedId(facts.sentAt, 'correction', facts.id),
    recordKind: 'correction',
    ...endFields(end),
    counts: countsOfCorrection(
      { settlement: 'unsettled', isPriced: boundBefore !== undefined },
      { settlement: end.settlement, isPriced: end.costUsd !== undefined, isSuspect: end.isSuspect },
    ),
    ...(boundBefore === undefined && end.upperBoundUsd === undefined
      ? {}
      : { upperBoundUsd: (end.upperBoundUsd ?? zeroUsd).minus(boundBefore ?? zeroUsd) }),
  };
}

/**
 * What makes waste of an answer that was found to be an invalid output after its call had been recorded: one correction takes its
 * tokens and its cost back, another adds them again as waste. Every sum stays what it was but that of the waste. The
 * ledger does not keep the cost by class, so both carry the total alone.
 */
export function recordsOfInvalidation(
  owner: CallAttribution,
  call: AnsweredCall,
  recordedAt: Date,
): readonly [UsageRecord, UsageRecord] {
  // The time that the call's own record has: both belong into its hour.
  const sentAt = call.reservedAt;
  const facts = {
    ...call,
    owner,
    sentAt,
    upperBoundUsd: undefined,
  };
  const same = {
    ...recordOfFacts(facts, recordedAt),
    recordKind: 'correction' as const,
    tier: call.tier,
    outcome: 'ok' as const,
    settlement: call.settlement,
    counts: { calls: 0, unpricedCalls: 0, unsettledCalls: 0, estimatedCalls: 0, suspectCalls: 0 } as const,
    costByClass: {},
    durationMs: 0,
    ...(call.answeredModel === undefined ? {} : { answeredModel: call.answeredModel }),
    ...(call.providerRequestId === undefined ? {} : { providerRequestId: call.providerRequestId }),
    ...(call.priceReference === undefined ? {} : { priceReference: call.priceReference }),
    ...(call.priceCatalogue === undefined ? {} : { priceCatalogue: call.priceCatalogue }),
  };
  const taken = Object.entries(call.tokens).map(([name, count]) => [name, -count] as const);
  return [
    {
      ...same,
      recordId: derivedId(sentAt, 'rejection', call.id, 'back'),
      tokens: Object.fromEntries(taken),
      ...(call.costUsd === undefined ? {} : { costUsd: zeroUsd.minus(call.costUsd) }),
    },
    {
      ...same,
      recordId: derivedId(sentAt, 'rejection', call.id, 'waste'),
      tokens: call.tokens,
      wasteReason: 'invalid_output',
      ...(call.costUsd === undefined ? {} : { costUsd: call.costUsd }),
    },
  ];
}

/** What an operator says that a call truly used. */
export interface CorrectedUsage {
  /** The operation in the audit. */
  readonly id: Uuid;
  readonly tokens: TokenCounts;
  readonly costUsd: Usd;
  readonly priceReference: string | undefined;
  readonly priceCatalogue: string | undefined;
}

/** The record of an operator's correction: what the call truly used, less what was booked. */
export function recordOfUsageCorrection(
  call: CorrectableCall,
  truth: CorrectedUsage,
  recordedAt: Date,
): UsageRecord {
  const { priceReference, priceCatalogue } = truth;
  const differences = tokenClasses
    .map((name) => [name, (truth.tokens[name] ?? 0) - (call.tokens[name] ?? 0)] as const)
    .filter(([, difference]) => difference !== 0);
  const wasPriced = (call.state === 'unsettled' ? call.upperBoundUsd : call.costUsd) !== undefined;
  return {
    ...recordOfFacts(factsOfAbandoned(call), recordedAt),
    recordId: derivedId(call.reservedAt, 'usage-correction', call.id, truth.id),
    recordKind: 'correction',
    tier: call.tier,
    outcome: call.outcome === 'unknown' ? 'unsettled' : call.outcome,
    settlement: 'reported',
    counts: countsOfCorrection(
      { settlement: call.settlement, isPriced: wasPriced, isSuspect: call.isSuspect },
      { settlement: 'reported', isPriced: true },
    ),
    tokens: Object.fromEntries(differences),
    costByClass: {},
    costUsd: truth.costUsd.minus(call.costUsd ?? zeroUsd),
    durationMs: 0,
    ...(call.upperBoundUsd === undefined ? {} : { upperBoundUsd: zeroUsd.minus(call.upperBoundUsd) }),
    ...(call.wasteReason === undefined ? {} : { wasteReason: call.wasteReason as WasteReason }),
    ...(call.answeredModel === undefined ? {} : { answeredModel: call.answeredModel }),
    ...(priceReference === undefined ? {} : { priceReference }),
    ...(priceCatalogue === undefined ? {} : { priceCatalogue }),
  };
}

function factsOfAbandoned(call: AbandonedCall): CallFacts {
  return {
    id: call.id,
    owner: { origin: call.origin, message: call.message },
    step: call.step,
    attempt: call.attempt,
    provider: call.provider,
    model: call.model,
    operation: call.operation,
    requestKind: call.requestKind,
    fallbackFrom: call.fallbackFrom,
    sentAt: call.reservedAt,
    upperBoundUsd: call.upperBoundUsd,
  };
}

function recordOfFacts(facts: CallFacts, recordedAt: Date) {
  const { message, origin } = facts.owner;
  const traceId = message === undefined ? undefined : traceIdOf(message.traceParent);
  return {
    callId: facts.id,
    sentAt: facts.sentAt,
    recordedAt,
    origin,
    pipeline: message?.pipeline ?? '',
    stage: message?.stage ?? '',
    owner: message?.owner ?? '',
    step: facts.step,
    attempt: facts.attempt,
    provider: facts.provider,
    model: facts.model,
    operation: facts.operation,
    requestKind: facts.requestKind,
    ...(facts.fallbackFrom === undefined ? {} : { fallbackFrom: facts.fallbackFrom }),
    ...(message === undefined ? {} : { messageId: message.id, rootId: message.rootId, item: message.item }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

function endFields(end: SettledCall) {
  return {
    tier: end.tier,
    outcome: end.outcome === 'unknown' ? ('unsettled' as const) : end.outcome,
    settlement: end.settlement,
    tokens: end.tokens,
    costByClass: end.cost?.byClass ?? {},
    durationMs: Math.max(0, Math.round(end.durationMs)),
    ...(end.cost === undefined || end.cost.request.isZero() ? {} : { requestCostUsd: end.cost.request }),
    ...(end.cost?.units === undefined ? {} : { unitCostUsd: end.cost.units }),
    ...(end.cost?.uses === undefined ? {} : { units: end.cost.uses }),
    ...(end.cost?.list === undefined ? {} : { listCostUsd: end.cost.list }),
    ...(end.costUsd === undefined ? {} : { costUsd: end.costUsd }),
    ...(end.answeredModel === undefined ? {} : { answeredModel: end.answeredModel }),
    ...(end.providerRequestId === undefined ? {} : { providerRequestId: end.providerRequestId }),
    ...(end.errorType === undefined ? {} : { errorType: end.errorType }),
    ...(end.wasteReason === undefined ? {} : { wasteReason: end.wasteReason }),
    ...(end.priceReference === undefined ? {} : { priceReference: end.priceReference }),
    ...(end.priceCatalogue === undefined ? {} : { priceCatalogue: end.priceCatalogue }),
    ...(end.firstChunkMs === undefined ? {} : { firstChunkMs: Math.max(0, Math.round(end.firstChunkMs)) }),
    ...(end.rawUsage === undefined ? {} : { rawUsage: end.rawUsage }),
  };
}
