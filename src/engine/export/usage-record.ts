import type { Uuid } from '../../kernel/ids.ts';
import type { Usd } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';
import { type TokenClass, tokenClasses } from '../../pricing/token-classes.ts';
import type { CallOutcome, CascadeVerdict, Settlement, WasteReason } from '../ledger/settlement.ts';
import type { CallWay } from '../ledger/call-way.ts';
import type { CascadePlace } from '../ledger/stored-call.ts';
import { type UnitCounts, unitCountsText } from '../../pricing/usage-units.ts';
import { amountOf, integerOf, textOf, timeOf } from './row-text.ts';

/** What a record adds to the counts of calls; a correction takes back what no longer holds. */
export interface CallCounts {
  readonly calls: -1 | 0 | 1;
  readonly unpricedCalls: -1 | 0 | 1;
  readonly unsettledCalls: -1 | 0 | 1;
  readonly estimatedCalls: -1 | 0 | 1;
  /** Estimated ones whose reported usage was not believed. */
  readonly suspectCalls: -1 | 0 | 1;
}

/** What decides into which counts a call goes. */
interface CountedCall {
  readonly settlement: Settlement;
  readonly isPriced: boolean;
  readonly isSuspect?: boolean | undefined;
}

/**
 * The row about one call, or about one correction of it, as ClickHouse keeps it; never edited. A correction carries
 * differences: tokens and amounts may be negative, and `sentAt` is the corrected call's, so that it lands in its hour.
 * Amounts are US dollars with at most 18 decimals; durations are whole milliseconds.
 */
export interface UsageRecord {
  readonly recordId: Uuid;
  readonly recordKind: 'call' | 'correction';
  readonly callId: Uuid;
  /** When the call was sent. */
  readonly sentAt: Date;
  /** When the ledger learnt this. */
  readonly recordedAt: Date;
  readonly origin: Origin;
  readonly pipeline: string;
  readonly stage: string;
  /** The team that owns the stage. */
  readonly owner: string;
  /** Absent for a call outside a message. */
  readonly messageId?: Uuid;
  readonly rootId?: Uuid;
  /** What the work is about, in the user's words ("readme.md"). */
  readonly item?: string;
  readonly step: string;
  readonly attempt: number;
  readonly traceId?: string;
  readonly provider: string;
  /** The model as asked for. */
  readonly model: string;
  /** The model that was meant ("provider/model"), when this one was asked in its place. */
  readonly fallbackFrom?: string;
  /** The HTTP request that the call is a part of; absent for a request of its own. */
  readonly sharedRequest?: Uuid;
  /** By which way the call came into the ledger; absent: `stage`. */
  readonly via?: CallWay;
  /** Its place in a cascade of models; absent for a call of none. */
  readonly cascade?: CascadePlace;
  readonly verdict?: CascadeVerdict;
  /** What an accepted answer would have cost at the last model of its cascade; a correction carries the difference. */
  readonly cascadeUsd?: Usd;
  /** 1: no price is known for that. */
  readonly cascadeUnvalued?: -1 | 0 | 1;
  /** The model as the provider named it. */
  readonly answeredModel?: string;
  readonly operation: 'chat' | 'embeddings';
  readonly tier: string;
  readonly requestKind: 'single' | 'batch';
  readonly providerRequestId?: string;
  readonly outcome: CallOutcome;
  readonly errorType?: string;
  readonly settlement: Settlement;
  readonly counts: CallCounts;
  readonly tokens: Readonly<Partial<Record<TokenClass, number>>>;
  readonly costByClass: Readonly<Partial<Record<TokenClass, Usd>>>;
  /** The fixed fee of the request, when the contract has one. */
  readonly requestCostUsd?: Usd;
  /** What a correction changes that is of no class, tool or fee. */
  readonly adjustmentUsd?: Usd;
  /** Uses of the provider's tools: their cost, and how often. */
  readonly unitCostUsd?: Usd;
  readonly units?: UnitCounts;
  /** The sum of the classes, the tools, the request fee and the adjustment; absent when no price is known; 0 while unsettled. */
  readonly costUsd?: Usd;
  /** Open exposure: what an unsettled or estimated call can have cost at most. */
  readonly upperBoundUsd?: Usd;
  readonly listCostUsd?: Usd;
  readonly wasteReason?: WasteReason;
  readonly priceReference?: string;
  readonly priceCatalogue?: string;
  readonly durationMs: number;
  readonly firstChunkMs?: number;
  /** The provider's own usage block as JSON text, empty when there was none. */
  readonly rawUsage?: string;
  /** Of a correction that an operator asked for; which record it corrects is told by the call's id, which is that record's. */
  readonly correctedBy?: CorrectingOperation;
}

/** What a correction says of the operation that made it. */
export interface CorrectingOperation {
  /** In the audit. */
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
  /** The version of the price book, where it was priced by one. */
  readonly priceBook?: string;
}

/** The counts of a call's own record. */
export function countsOfCall(settlement: Settlement, isPriced: boolean, isSuspect = false): CallCounts {
  return {
    calls: 1,
    unpricedCalls: isPriced ? 0 : 1,
    unsettledCalls: settlement === 'unsettled' ? 1 : 0,
    estimatedCalls: settlement === 'estimated' ? 1 : 0,
    suspectCalls: isSuspect ? 1 : 0,
  };
}

/** The counts of a correction: what the call is now, less what it was. */
export function countsOfCorrection(before: CountedCall, after: CountedCall): CallCounts {
  const was = countsOfCall(before.settlement, before.isPriced, before.isSuspect);
  const is = countsOfCall(after.settlement, after.isPriced, after.isSuspect);
  return {
    calls: 0,
    unpricedCalls: difference(is.unpricedCalls, was.unpricedCalls),
    unsettledCalls: difference(is.unsettledCalls, was.unsettledCalls),
    estimatedCalls: difference(is.estimatedCalls, was.estimatedCalls),
    suspectCalls: difference(is.suspectCalls, was.suspectCalls),
  };
}

/** The counts that take these back. */
export function takenBack(counts: CallCounts): CallCounts {
  return {
    calls: difference(0, counts.calls),
    unpricedCalls: difference(0, counts.unpricedCalls),
    unsettledCalls: difference(0, counts.unsettledCalls),
    estimatedCalls: difference(0, counts.estimatedCalls),
    suspectCalls: difference(0, counts.suspectCalls),
  };
}

function difference(is: number, was: number): -1 | 0 | 1 {
  if (is === was) return 0;
  return is > was ? 1 : -1;
}

const maxUInt16 = 65_535;
const maxUInt32 = 4_294_967_295;

/**
 * The record as a line of JSONEachRow for the table `usage`, without a newline and without the export batch, which the
 * exporter puts first (bindLines). Absent fields are left out: the table's defaults stand for them.
 */
export function renderUsageLine(record: UsageRecord): string {
  const { origin, counts } = record;
  let line =
    `{"record_id":"${record.recordId}","record_kind":"${record.recordKind}","call_id":"${record.callId}"` +
    `,"ts":${timeOf(record.sentAt)},"recorded_at":${timeOf(record.recordedAt)}` +
    `,"team":${textOf(origin.team)},"customer":${textOf(origin.customer)},"feature":${textOf(origin.feature)}` +
    `,"pipeline":${textOf(record.pipeline)},"stage":${textOf(record.stage)},"owner":${textOf(record.owner)}` +
    `,"step":${textOf(record.step)},"attempt":${integerOf('attempt', record.attempt, 0, maxUInt16)}` +
    `,"provider":${textOf(record.provider)},"model":${textOf(record.model)}` +
    `,"operation":"${record.operation}","tier":${textOf(record.tier)},"request_kind":"${record.requestKind}"` +
    `,"outcome":"${record.outcome}","settlement":"${record.settlement}"` +
    `,"calls":${counts.calls},"unpriced_calls":${counts.unpricedCalls}` +
    `,"unsettled_calls":${counts.unsettledCalls},"estimated_calls":${counts.estimatedCalls}` +
    `,"duration_ms":${integerOf('durationMs', record.durationMs, 0, maxUInt32)}`;
  if (counts.suspectCalls !== 0) line += `,"suspect_calls":${counts.suspectCalls}`;
  if (origin.batch !== undefined) line += `,"batch":${textOf(origin.batch)}`;
  if (origin.labels !== undefined) line += `,"labels":${renderLabels(origin.labels)}`;
  if (record.messageId !== undefined) line += `,"message_id":"${record.messageId}"`;
  if (record.rootId !== undefined) line += `,"root_id":"${record.rootId}"`;
  if (record.item !== undefined) line += `,"item":${textOf(record.item)}`;
  if (record.traceId !== undefined) line += `,"trace_id":${textOf(record.traceId)}`;
  if (record.fallbackFrom !== undefined) line += `,"fallback_from":${textOf(record.fallbackFrom)}`;
  if (record.sharedRequest !== undefined) line += `,"shared_request":"${record.sharedRequest}"`;
  if (record.via !== undefined && record.via !== 'stage') line += `,"via":"${record.via}"`;
  line += renderCascade(record);
  if (record.answeredModel !== undefined) line += `,"answered_model":${textOf(record.answeredModel)}`;
  if (record.providerRequestId !== undefined)
    line += `,"provider_request_id":${textOf(record.providerRequestId)}`;
  if (record.errorType !== undefined) line += `,"error_type":${textOf(record.errorType)}`;
  if (record.wasteReason !== undefined) line += `,"is_waste":1,"waste_reason":"${record.wasteReason}"`;
  if (record.priceReference !== undefined) line += `,"price_reference":${textOf(record.priceReference)}`;
  if (record.priceCatalogue !== undefined) line += `,"price_catalogue":${textOf(record.priceCatalogue)}`;
  if (record.rawUsage !== undefined) line += `,"raw_usage":${textOf(record.rawUsage)}`;
  if (record.firstChunkMs !== undefined) {
    line += `,"first_chunk_ms":${integerOf('firstChunkMs', record.firstChunkMs, 0, maxUInt32)}`;
  }
  if (record.correctedBy !== undefined) line += renderOperation(record.correctedBy);
  return `${line}${renderTokens(record)}${renderAmounts(record)}}`;
}

function renderOperation({ id, actor, reason, priceBook }: CorrectingOperation): string {
  const book = priceBook === undefined ? '' : `,"price_book":${textOf(priceBook)}`;
  return `,"operation_id":"${id}","correction_actor":${textOf(actor)},"correction_reason":${textOf(reason)}${book}`;
}

function renderCascade({ cascade, verdict, cascadeUsd, cascadeUnvalued = 0 }: UsageRecord): string {
  if (cascade === undefined) return '';
  let part = `,"cascade_place":${cascade.place},"cascade_models":${cascade.models}`;
  if (verdict !== undefined) part += `,"cascade_verdict":"${verdict}"`;
  if (cascadeUsd !== undefined) part += `,"cascade_usd":${amountOf(cascadeUsd)}`;
  if (cascadeUnvalued !== 0) part += `,"cascade_unvalued":${cascadeUnvalued}`;
  return part;
}

function renderTokens({ tokens }: UsageRecord): string {
  let part = '';
  for (const name of tokenClasses) {
    const count = tokens[name];
    if (count === undefined || count === 0) continue;
    part += `,"tokens_${name}":${integerOf(name, count, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)}`;
  }
  return part;
}

function renderAmounts(record: UsageRecord): string {
  let part = '';
  for (const name of tokenClasses) {
    const cost = record.costByClass[name];
    if (cost !== undefined && !cost.isZero()) part += `,"cost_${name}":${amountOf(cost)}`;
  }
  if (record.requestCostUsd !== undefined) part += `,"cost_request":${amountOf(record.requestCostUsd)}`;
  if (record.adjustmentUsd !== undefined && !record.adjustmentUsd.isZero())
    part += `,"cost_adjustment":${amountOf(record.adjustmentUsd)}`;
  if (record.unitCostUsd !== undefined) part += `,"cost_units":${amountOf(record.unitCostUsd)}`;
  const uses = unitCountsText(record.units);
  if (uses !== undefined) part += `,"units":${uses}`;
  if (record.costUsd !== undefined) part += `,"cost_usd":${amountOf(record.costUsd)}`;
  if (record.upperBoundUsd !== undefined) part += `,"upper_bound_usd":${amountOf(record.upperBoundUsd)}`;
  if (record.listCostUsd !== undefined) part += `,"list_cost_usd":${amountOf(record.listCostUsd)}`;
  return part;
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const entries = Object.entries(labels).map(([key, value]) => `${textOf(key)}:${textOf(value)}`);
  return `{${entries.join(',')}}`;
}
