import fc from 'fast-check';
import { type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { type TokenClass, tokenClasses } from '../../src/pricing/token-classes.ts';
import { usageUnits } from '../../src/pricing/usage-units.ts';
import { countsOfCall, type UsageRecord } from '../../src/engine/export/usage-record.ts';
import type { MessageOutcome } from '../../src/engine/export/message-outcome.ts';

/** A plain call that cost a quarter of a cent, with whatever the test says otherwise. */
export function usageRecord(fields: Partial<UsageRecord> & Pick<UsageRecord, 'recordId'>): UsageRecord {
  return {
    recordKind: 'call',
    callId: fields.recordId,
    sentAt: new Date('2025-03-31T23:59:59.123Z'),
    recordedAt: new Date('2025-04-01T00:00:00.456Z'),
    origin: { team: 'search', customer: 'acme', feature: 'summaries' },
    pipeline: 'documents',
    stage: 'summarise',
    owner: 'platform',
    step: 'summary',
    attempt: 1,
    provider: 'openai',
    model: 'gpt-5-mini',
    operation: 'chat',
    tier: 'default',
    requestKind: 'single',
    outcome: 'ok',
    settlement: 'reported',
    counts: countsOfCall('reported', true),
    tokens: { uncached_input: 900, cache_read: 100, text_output: 50, reasoning: 10 },
    costByClass: { uncached_input: usd('0.002'), text_output: usd('0.0005') },
    costUsd: usd('0.0025'),
    durationMs: 850,
    ...fields,
  };
}

const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 24 });
/** Any UTF-16 text: controls, U+0000, unpaired surrogates. */
const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
  maxLength: 24,
});
const time = fc.date({
  min: new Date('2020-01-01T00:00:00Z'),
  max: new Date('2035-01-01T00:00:00Z'),
  noInvalidDate: true,
});
const uuid = fc.uuid();

/** Any amount that Decimal(38, 18) holds. */
const amount: fc.Arbitrary<Usd> = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 38n - 1n }))
  .map(([isNegative, units]) => {
    const digits = units.toString().padStart(19, '0');
    return usd(`${isNegative ? '-' : ''}${digits.slice(0, -18)}.${digits.slice(-18)}`);
  });

function byClass<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Partial<Record<TokenClass, T>>> {
  return fc.dictionary(fc.constantFrom(...tokenClasses), value, { noNullPrototype: true });
}

const origin = fc.record(
  {
    team: word,
    customer: word,
    feature: word,
    batch: word,
    labels: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_.-]{0,8}$/), word, {
      minKeys: 1,
      maxKeys: 4,
      noNullPrototype: true,
    }),
  },
  { requiredKeys: ['team', 'customer', 'feature'] },
);

const delta = fc.constantFrom<(-1 | 0 | 1)[]>(-1, 0, 1);

/** Any record that the type allows. */
export const anyUsageRecord: fc.Arbitrary<UsageRecord> = fc.record(
  {
    recordId: uuid,
    recordKind: fc.constantFrom('call', 'correction'),
    callId: uuid,
    sentAt: time,
    recordedAt: time,
    origin,
    pipeline: word,
    stage: word,
    owner: word,
    messageId: uuid,
    rootId: uuid,
    item: anyText,
    step: word,
    attempt: fc.nat({ max: 65_535 }),
    traceId: anyText,
    provider: word,
    model: word,
    fallbackFrom: anyText,
    sharedRequest: uuid,
    via: fc.constantFrom('stage', 'gateway', 'otlp', 'event'),
    cascade: fc.record({ place: fc.integer({ min: 1, max: 5 }), models: fc.integer({ min: 2, max: 5 }) }),
    verdict: fc.constantFrom('accepted', 'escalated'),
    cascadeUsd: amount,
    cascadeUnvalued: delta,
    answeredModel: anyText,
    operation: fc.constantFrom('chat', 'embeddings'),
    tier: word,
    requestKind: fc.constantFrom('single', 'batch'),
    providerRequestId: anyText,
    outcome: fc.constantFrom('ok', 'error', 'unsettled', 'cancelled'),
    errorType: anyText,
    settlement: fc.constantFrom('reported', 'estimated', 'unsettled', 'free'),
    counts: fc.record({
      calls: delta,
      unpricedCalls: delta,
      unsettledCalls: delta,
      estimatedCalls: delta,
      suspectCalls: delta,
    }),
    tokens: byClass(fc.maxSafeInteger()),
    costByClass: byClass(amount),
    requestCostUsd: amount,
    adjustmentUsd: amount,
    correctedBy: fc.record({ id: uuid, actor: word, reason: anyText, priceBook: word }),
    unitCostUsd: amount,
    units: fc.dictionary(fc.constantFrom(...usageUnits), fc.integer({ min: 1, max: 4_294_967_295 }), {
      noNullPrototype: true,
    }),
    costUsd: amount,
    upperBoundUsd: amount,
    listCostUsd: amount,
    wasteReason: fc.constantFrom('failed', 'aborted', 'duplicate', 'retried', 'invalid_output'),
    priceReference: word,
    priceCatalogue: word,
    durationMs: fc.nat({ max: 4_294_967_295 }),
    firstChunkMs: fc.nat({ max: 4_294_967_295 }),
    rawUsage: anyText,
  },
  {
    requiredKeys: [
      'recordId',
      'recordKind',
      'callId',
      'sentAt',
      'recordedAt',
      'origin',
      'pipeline',
      'stage',
      'owner',
      'step',
      'attempt',
      'provider',
      'model',
      'operation',
      'tier',
      'requestKind',
      'outcome',
      'settlement',
      'counts',
      'tokens',
      'costByClass',
      'durationMs',
    ],
  },
);

export const anyMessageOutcome: fc.Arbitrary<MessageOutcome> = fc.record(
  {
    messageId: uuid,
    rootId: uuid,
    endedAt: time,
    origin,
    pipeline: word,
    stage: word,
    owner: word,
    item: anyText,
    outcome: fc.constantFrom('completed', 'dead_lettered', 'cancelled'),
    errorCode: anyText,
    attempts: fc.nat({ max: 65_535 }),
    deliveries: fc.nat({ max: 65_535 }),
    durationMs: fc.nat({ max: 4_294_967_295 }),
    waitMs: fc.maxSafeNat(),
    ageMs: fc.maxSafeNat(),
    traceId: anyText,
  },
  {
    requiredKeys: [
      'messageId',
      'rootId',
      'endedAt',
      'origin',
      'pipeline',
      'stage',
      'owner',
      'outcome',
      'attempts',
      'deliveries',
      'durationMs',
      'waitMs',
      'ageMs',
    ],
  },
);

const nilUuid = '00000000-0000-0000-0000-000000000000';
const engineTime = (value: Date): string => value.toISOString().replace('T', ' ').replace('Z', '');
const wellFormed = (text: string | undefined): string => (text ?? '').toWellFormed();
const decimal = (value: Usd | undefined): string | null => (value === undefined ? null : value.toFixed());

/** What a record says of a cascade, where there is one. */
function expectedCascade({ cascade, verdict, cascadeUsd, cascadeUnvalued }: UsageRecord) {
  const isThere = cascade !== undefined;
  return {
    cascade_place: cascade?.place ?? 0,
    cascade_models: cascade?.models ?? 0,
    cascade_verdict: (isThere ? verdict : undefined) ?? '',
    cascade_usd: decimal((isThere ? cascadeUsd : undefined) ?? zeroUsd),
    cascade_unvalued: (isThere ? cascadeUnvalued : undefined) ?? 0,
  };
}

/** The row that the engine must give back for the record, column by column. */
export function expectedUsageRow(record: UsageRecord, exportBatch: string): Record<string, unknown> {
  const perClass = tokenClasses.flatMap((name) => [
    [`tokens_${name}`, `${record.tokens[name] ?? 0}`],
    [`cost_${name}`, decimal(record.costByClass[name] ?? zeroUsd)],
  ]);
  return {
    record_id: record.recordId,
    record_kind: record.recordKind,
    export_batch: exportBatch,
    call_id: record.callId,
    ts: engineTime(record.sentAt),
    recorded_at: engineTime(record.recordedAt),
    team: record.origin.team,
    customer: record.origin.customer,
    feature: record.origin.feature,
    batch: record.origin.batch ?? '',
    labels: { ...record.origin.labels },
    pipeline: record.pipeline,
    stage: record.stage,
    owner: record.owner,
    message_id: record.messageId ?? nilUuid,
    root_id: record.rootId ?? nilUuid,
    item: wellFormed(record.item),
    step: record.step,
    attempt: record.attempt,
    trace_id: wellFormed(record.traceId),
    provider: record.provider,
    model: record.model,
    fallback_from: wellFormed(record.fallbackFrom),
    shared_request: record.sharedRequest ?? nilUuid,
    via: record.via ?? 'stage',
    ...expectedCascade(record),
    answered_model: wellFormed(record.answeredModel),
    operation: record.operation,
    tier: record.tier,
    request_kind: record.requestKind,
    provider_request_id: wellFormed(record.providerRequestId),
    outcome: record.outcome,
    error_type: wellFormed(record.errorType),
    settlement: record.settlement,
    calls: record.counts.calls,
    unpriced_calls: record.counts.unpricedCalls,
    unsettled_calls: record.counts.unsettledCalls,
    estimated_calls: record.counts.estimatedCalls,
    suspect_calls: record.counts.suspectCalls,
    ...Object.fromEntries(perClass),
    cost_request: decimal(record.requestCostUsd ?? zeroUsd),
    cost_adjustment: decimal(record.adjustmentUsd ?? zeroUsd),
    corrected_period: '',
    operation_id: record.correctedBy?.id ?? nilUuid,
    correction_actor: record.correctedBy?.actor ?? '',
    correction_reason: wellFormed(record.correctedBy?.reason),
    price_book: record.correctedBy?.priceBook ?? '',
    cost_units: decimal(record.unitCostUsd ?? zeroUsd),
    units: { ...record.units },
    cost_usd: decimal(record.costUsd),
    upper_bound_usd: decimal(record.upperBoundUsd),
    list_cost_usd: decimal(record.listCostUsd),
    is_waste: record.wasteReason === undefined ? 0 : 1,
    waste_reason: record.wasteReason ?? '',
    price_reference: record.priceReference ?? '',
    price_catalogue: record.priceCatalogue ?? '',
    duration_ms: record.durationMs,
    first_chunk_ms: record.firstChunkMs ?? null,
    raw_usage: wellFormed(record.rawUsage),
  };
}

/** The row that the engine must give back for the outcome, column by column. */
export function expectedOutcomeRow(record: MessageOutcome, exportBatch: string): Record<string, unknown> {
  return {
    message_id: record.messageId,
    export_batch: exportBatch,
    ts: engineTime(record.endedAt),
    root_id: record.rootId,
    pipeline: record.pipeline,
    stage: record.stage,
    owner: record.owner,
    team: record.origin.team,
    customer: record.origin.customer,
    feature: record.origin.feature,
    batch: record.origin.batch ?? '',
    item: wellFormed(record.item),
    outcome: record.outcome,
    error_code: wellFormed(record.errorCode),
    attempts: record.attempts,
    deliveries: record.deliveries,
    duration_ms: record.durationMs,
    wait_ms: `${record.waitMs}`,
    age_ms: `${record.ageMs}`,
    trace_id: wellFormed(record.traceId),
  };
}
