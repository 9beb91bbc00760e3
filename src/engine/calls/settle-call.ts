import { maxUsd, type Usd, zeroUsd } from '../../kernel/money.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';
import type { ModelFailure } from '../providers/classify-model-error.ts';
import { usageText } from '../providers/column-text.ts';
import type { GateEnd } from './call-gate.ts';
import type { CallInFlight } from './call-in-flight.ts';
import type { Appraisal } from './appraisal.ts';
import type { CallReport } from './call-report.ts';
import type { SettledCall, WasteReason } from '../ledger/settlement.ts';

/* How a call ended, from what came back about it: functions over values. */

/** How long a call took, and until its first part came. */
export interface CallTimes {
  readonly durationMs: number;
  readonly firstChunkMs: number | undefined;
}

/** What is known of an ended call beside its report. */
export interface Ending extends Appraisal, CallTimes {
  /** What it can have cost at most, by what was asked for and what answered. */
  readonly boundUsd: () => Usd | undefined;
  readonly providerRequestId: string | undefined;
  readonly answer: SettledCall['answer'];
  /** What an accepted answer of a cascade would have cost at its last model, if that has a price. */
  readonly cascadeUsd: Usd | undefined;
}

/** The settlement of a call. */
export function settledCall(
  { facts, hasQuotas }: Pick<CallInFlight, 'facts' | 'hasQuotas'>,
  report: CallReport,
  {
    settlement: measuredAs,
    isSuspect,
    tokens,
    pricing,
    boundUsd,
    answeredModel,
    tier,
    providerRequestId,
    durationMs,
    firstChunkMs,
    answer,
    cascadeUsd,
  }: Ending,
): SettledCall {
  const isFree = measuredAs === 'free';
  const isUnsettled = measuredAs === 'unsettled';
  // A model that the request cannot have been answered by at its bound: what was asked for is priced, and the bound stands.
  const isBelieved = pricing?.isBelieved ?? true;
  const hasOpenUnits = pricing?.kind === 'priced' && pricing.openUnits !== undefined;
  const settlement = isBelieved && !hasOpenUnits ? measuredAs : 'estimated';
  const cost = pricing?.kind === 'priced' ? pricing.cost : undefined;
  // Nobody knows the cost of an unpriced call, and its bound stands.
  const isOpen = isUnsettled || settlement === 'estimated' || (!isFree && cost === undefined);
  const bound = isOpen ? boundUsd() : undefined;
  return {
    id: facts.id,
    state: isUnsettled ? 'unsettled' : 'settled',
    outcome: outcomeOf(report.failure, isUnsettled),
    settlement,
    errorType: report.failure?.kind,
    answeredModel,
    tier,
    providerRequestId,
    tokens,
    rawUsage: usageText(report.rawUsage),
    costUsd: isFree ? zeroUsd : cost?.total,
    upperBoundUsd: bound !== undefined ? maxUsd(bound, cost?.total ?? zeroUsd) : undefined,
    priceReference: pricing?.kind === 'priced' ? pricing.price.reference : undefined,
    priceCatalogue: pricing?.kind === 'priced' ? pricing.price.catalogue : undefined,
    wasteReason: isFree ? undefined : wasteOf(report),
    durationMs,
    firstChunkMs,
    answer,
    ...(report.isInvalidOutput === true ? { isInvalidated: true } : {}),
    ...(report.cascade === undefined ? {} : { verdict: report.cascade.verdict, cascadeUsd }),
    ...(isSuspect || !isBelieved ? { isSuspect: true } : {}),
    cost,
    hasQuotas,
  };
}

/** How it ended, for the gates. */
export function gateEndOf(
  { failure, headers }: CallReport,
  tokens: TokenCounts,
  durationMs: number,
): GateEnd {
  const counts = Object.values(tokens);
  return {
    kind: 'sent',
    failure: failure?.kind,
    retryAfterMs: failure?.retryAfterMs,
    headers,
    tokens: counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0),
    durationMs,
  };
}

function outcomeOf(failure: ModelFailure | undefined, isUnsettled: boolean): SettledCall['outcome'] {
  if (failure === undefined) return 'ok';
  if (isUnsettled) return 'unsettled';
  return failure.kind === 'aborted' ? 'cancelled' : 'error';
}

function wasteOf({ failure, isInvalidOutput }: CallReport): WasteReason | undefined {
  if (failure === undefined) return isInvalidOutput === true ? 'invalid_output' : undefined;
  return failure.kind === 'aborted' ? 'aborted' : 'failed';
}
