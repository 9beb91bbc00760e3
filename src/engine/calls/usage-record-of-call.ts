import { derivedId, type Uuid } from '../../kernel/ids.ts';
import { type Usd, zeroUsd } from '../../kernel/money.ts';
import type { AttributedCall, CallAttribution } from '../ledger/attributed-call.ts';
import type { CascadeVerdict, SettledCall, Settlement, WasteReason } from '../ledger/settlement.ts';
import type { CorrectableCall } from '../ledger/correction-ledger.ts';
import type { AnsweredCall } from '../ledger/invalid-output-ledger.ts';
import { type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import {
  type CorrectingOperation,
  countsOfCall,
  countsOfCorrection,
  takenBack,
  type UsageRecord,
} from '../export/usage-record.ts';
import { type CostParts, negatedParts, partsDifference, unexplained } from '../ledger/cost-parts.ts';

/*
 * The usage records about a call that its row alone does not tell: of the sweep that finds it abandoned, the truth that came after that,
 * and the rejection of its answer. The record of its own settlement is rendered from its row (usage_line in the ledger's migrations).
 * The records of one call always add up to what the row says at the end: cost, upper bound, and the counts of calls, unpriced, unsettled
 * and estimated ones. They do so in every group of every report: what leaves a group is taken back there.
 */

/** A call that is given up is waste of this kind, until its truth is known. */
const wasteOfAbandoned: WasteReason = 'aborted';

/** The record of a call whose maker is gone: nobody knows what it cost, its upper bound stands. */
export function recordOfAbandoned(call: AttributedCall, recordedAt: Date): UsageRecord {
  const isPriced = call.upperBoundUsd !== undefined;
  return {
    ...recordOfFacts(call, recordedAt),
    recordId: call.id,
    recordKind: 'call',
    tier: call.tier,
    outcome: 'unsettled',
    settlement: 'unsettled',
    counts: countsOfCall('unsettled', isPriced),
    tokens: {},
    costByClass: {},
    wasteReason: wasteOfAbandoned,
    durationMs: 0,
    ...(call.upperBoundUsd === undefined ? {} : { costUsd: zeroUsd, upperBoundUsd: call.upperBoundUsd }),
  };
}

/**
 * The records of the truth about a call that had been given up as unsettled: what it cost, or that it is unsettled for another reason. Where it stays waste of the same kind, one with the
 * difference; otherwise one takes back from the group of before all that stands there, and one adds the truth to its own.
 */
export function recordsOfCorrection(
  facts: AttributedCall,
  end: SettledCall,
  recordedAt: Date,
): readonly UsageRecord[] {
  const before = { settlement: 'unsettled', isPriced: facts.upperBoundUsd !== undefined } as const;
  // Nobody knows yet what an unsettled call costs: its bound stands, and is priced.
  const costUsd = end.state === 'unsettled' && end.upperBoundUsd !== undefined ? zeroUsd : end.costUsd;
  const after = { settlement: end.settlement, isPriced: costUsd !== undefined, isSuspect: end.isSuspect };
  const truth = {
    ...recordOfFacts(facts, recordedAt),
    recordId: derivedId(facts.reservedAt, 'correction', facts.id),
    recordKind: 'correction' as const,
    ...endFields(end),
    ...(costUsd === undefined ? {} : { costUsd }),
  };
  const { upperBoundUsd: boundBefore } = facts;
  const takenBound = boundBefore === undefined ? {} : { upperBoundUsd: zeroUsd.minus(boundBefore) };
  if (end.wasteReason === wasteOfAbandoned) {
    const bound =
      end.upperBoundUsd === undefined
        ? takenBound
        : { upperBoundUsd: end.upperBoundUsd.minus(boundBefore ?? zeroUsd) };
    return [{ ...truth, counts: countsOfCorrection(before, after), ...bound }];
  }
  const back: UsageRecord = {
    ...recordOfFacts(facts, recordedAt),
    recordId: derivedId(facts.reservedAt, 'correction', facts.id, 'back'),
    recordKind: 'correction',
    tier: end.tier,
    outcome: 'unsettled',
    settlement: 'unsettled',
    counts: takenBack(countsOfCall(before.settlement, before.isPriced)),
    tokens: {},
    costByClass: {},
    wasteReason: wasteOfAbandoned,
    durationMs: 0,
    ...(end.answeredModel === undefined ? {} : { answeredModel: end.answeredModel }),
    ...takenBound,
  };
  return [
    back,
    {
      ...truth,
      counts: countsOfCall(after.settlement, after.isPriced, after.isSuspect),
      ...(end.upperBoundUsd === undefined ? {} : { upperBoundUsd: end.upperBoundUsd }),
    },
  ];
}

/**
 * What makes waste of an answer that was found to be of no use after its call had been recorded (an invalid output, or one that was asked for once more): one correction takes all
 * back that the call is in its sums (counts, tokens, cost, upper bound), another adds it again as waste. Every sum stays what it
 * was but those of the waste.
 */
export function recordsOfInvalidation(
  owner: CallAttribution,
  call: AnsweredCall,
  recordedAt: Date,
  wasteReason: WasteReason = 'invalid_output',
): readonly [UsageRecord, UsageRecord] {
  const { costUsd, upperBoundUsd, reservedAt } = call;
  const same = correctionFacts(owner, call, recordedAt);
  const counts = countsOfCall(call.settlement, costUsd !== undefined, call.isSuspect);
  const parts = call.costParts ?? unexplained(costUsd ?? zeroUsd);
  const taken = Object.entries(call.tokens).map(([name, count]) => [name, -count] as const);
  return [
    {
      ...same,
      recordId: derivedId(reservedAt, 'rejection', call.id, 'back'),
      counts: takenBack(counts),
      tokens: Object.fromEntries(taken),
      ...partFields(negatedParts(parts)),
      ...(costUsd === undefined ? {} : { costUsd: zeroUsd.minus(costUsd) }),
      ...(upperBoundUsd === undefined ? {} : { upperBoundUsd: zeroUsd.minus(upperBoundUsd) }),
      ...verdictTakenBack(call),
    },
    {
      ...same,
      recordId: derivedId(reservedAt, 'rejection', call.id, 'waste'),
      ...(call.verdict === undefined ? {} : { verdict: 'escalated' as const }),
      counts,
      tokens: call.tokens,
      ...partFields(parts),
      wasteReason,
      ...(costUsd === undefined ? {} : { costUsd }),
      ...(upperBoundUsd === undefined ? {} : { upperBoundUsd }),
    },
  ];
}

/** What corrections of a call with an answer have in common. Their time is that of the call's own record: all belong into its hour. */
function correctionFacts(owner: CallAttribution, call: AnsweredCall, recordedAt: Date) {
  return {
    ...recordOfFacts({ ...call, ...owner }, recordedAt),
    recordKind: 'correction' as const,
    tier: call.tier,
    outcome: 'ok' as const,
    settlement: call.settlement,
    durationMs: 0,
    ...(call.answeredModel === undefined ? {} : { answeredModel: call.answeredModel }),
    ...(call.providerRequestId === undefined ? {} : { providerRequestId: call.providerRequestId }),
    ...(call.priceReference === undefined ? {} : { priceReference: call.priceReference }),
    ...(call.priceCatalogue === undefined ? {} : { priceCatalogue: call.priceCatalogue }),
  };
}

/** The record of a decision about an answer in its cascade that came after the call had been recorded: it changes no other sum. */
export function recordOfVerdict(
  owner: CallAttribution,
  call: AnsweredCall,
  { verdict, cascadeUsd }: { readonly verdict: CascadeVerdict; readonly cascadeUsd: Usd | undefined },
  recordedAt: Date,
): UsageRecord {
  return {
    ...correctionFacts(owner, call, recordedAt),
    recordId: derivedId(call.reservedAt, 'cascade', call.id),
    counts: { calls: 0, unpricedCalls: 0, unsettledCalls: 0, estimatedCalls: 0, suspectCalls: 0 },
    tokens: {},
    costByClass: {},
    ...(call.costUsd === undefined ? {} : { costUsd: zeroUsd }),
    ...verdictFields(verdict, cascadeUsd),
  };
}

/** What an operator says that a call truly used. */
export interface CorrectedUsage {
  /** The operation in the audit. */
  readonly id: Uuid;
  readonly tokens: TokenCounts;
  readonly costUsd: Usd;
  readonly costParts: CostParts;
  readonly priceReference: string | undefined;
  readonly priceCatalogue: string | undefined;
  readonly actor: string;
  readonly reason: string;
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
    ...recordOfFacts(call, recordedAt),
    recordId: derivedId(call.reservedAt, 'usage-correction', call.id, truth.id),
    recordKind: 'correction',
    tier: call.tier,
    outcome: call.outcome,
    settlement: 'reported',
    counts: countsOfCorrection(
      { settlement: call.settlement, isPriced: wasPriced, isSuspect: call.isSuspect },
      { settlement: 'reported', isPriced: true },
    ),
    tokens: Object.fromEntries(differences),
    ...partFields(correctedParts(call, truth)),
    correctedBy: { id: truth.id, actor: truth.actor, reason: truth.reason },
    costUsd: truth.costUsd.minus(call.costUsd ?? zeroUsd),
    durationMs: 0,
    ...(call.upperBoundUsd === undefined ? {} : { upperBoundUsd: zeroUsd.minus(call.upperBoundUsd) }),
    ...(call.wasteReason === undefined ? {} : { wasteReason: call.wasteReason }),
    ...(call.answeredModel === undefined ? {} : { answeredModel: call.answeredModel }),
    ...(priceReference === undefined ? {} : { priceReference }),
    ...(priceCatalogue === undefined ? {} : { priceCatalogue }),
  };
}

/** A cost as it has become, of a call whose tokens are what they were. */
export interface RepricedCost {
  readonly settlement: Settlement;
  readonly costUsd: Usd;
  readonly costParts: CostParts;
  readonly upperBoundUsd: Usd | undefined;
  readonly priceReference: string;
  readonly priceCatalogue: string;
}

/** The record of a call's cost by another price: the differences, by class. */
export function recordOfRepricing(
  call: CorrectableCall,
  cost: RepricedCost,
  correctedBy: CorrectingOperation,
  recordedAt: Date,
): UsageRecord {
  const { upperBoundUsd: boundBefore = zeroUsd } = call;
  const bound = (cost.upperBoundUsd ?? zeroUsd).minus(boundBefore);
  return {
    ...recordOfFacts(call, recordedAt),
    recordId: derivedId(call.reservedAt, 'repricing', call.id, correctedBy.id),
    recordKind: 'correction',
    tier: call.tier,
    outcome: call.outcome,
    settlement: cost.settlement,
    counts: countsOfCorrection(
      { settlement: call.settlement, isPriced: call.costUsd !== undefined, isSuspect: call.isSuspect },
      { settlement: cost.settlement, isPriced: true, isSuspect: call.isSuspect },
    ),
    tokens: {},
    ...partFields(correctedParts(call, cost)),
    costUsd: cost.costUsd.minus(call.costUsd ?? zeroUsd),
    durationMs: 0,
    correctedBy,
    ...(bound.isZero() ? {} : { upperBoundUsd: bound }),
    ...(call.wasteReason === undefined ? {} : { wasteReason: call.wasteReason }),
    ...(call.answeredModel === undefined ? {} : { answeredModel: call.answeredModel }),
    priceReference: cost.priceReference,
    priceCatalogue: cost.priceCatalogue,
  };
}

/** The differences by class; where the row does not say what the classes were, the whole difference is of no class. */
function correctedParts(
  call: CorrectableCall,
  { costUsd, costParts }: { readonly costUsd: Usd; readonly costParts: CostParts },
): CostParts {
  if (call.costParts === undefined) return unexplained(costUsd.minus(call.costUsd ?? zeroUsd));
  return partsDifference(costParts, call.costParts);
}

function partFields({ byClass, request, units, adjustment }: CostParts) {
  return {
    costByClass: byClass,
    ...(request.isZero() ? {} : { requestCostUsd: request }),
    ...(units.isZero() ? {} : { unitCostUsd: units }),
    ...(adjustment.isZero() ? {} : { adjustmentUsd: adjustment }),
  };
}

function recordOfFacts(facts: AttributedCall, recordedAt: Date) {
  const { message, origin } = facts;
  const traceId = message === undefined ? undefined : traceIdOf(message.traceParent);
  return {
    callId: facts.id,
    sentAt: facts.reservedAt,
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
    ...(facts.sharedRequest === undefined ? {} : { sharedRequest: facts.sharedRequest }),
    ...(facts.via === undefined ? {} : { via: facts.via }),
    ...(facts.cascade === undefined ? {} : { cascade: facts.cascade }),
    ...(message === undefined ? {} : { messageId: message.id, rootId: message.rootId, item: message.item }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

/** What a record says about an answer in its cascade. */
function verdictFields(
  verdict: CascadeVerdict | undefined,
  cascadeUsd: Usd | undefined,
): Pick<UsageRecord, 'verdict' | 'cascadeUsd' | 'cascadeUnvalued'> {
  if (verdict === undefined) return {};
  if (cascadeUsd !== undefined) return { verdict, cascadeUsd };
  return verdict === 'accepted' ? { verdict, cascadeUnvalued: 1 } : { verdict };
}

/** What takes back that an answer was accepted. */
function verdictTakenBack({ verdict, cascadeUsd }: AnsweredCall): ReturnType<typeof verdictFields> {
  if (verdict === undefined) return {};
  if (cascadeUsd !== undefined) return { verdict: 'escalated', cascadeUsd: zeroUsd.minus(cascadeUsd) };
  return { verdict: 'escalated', ...(verdict === 'accepted' ? { cascadeUnvalued: -1 } : {}) };
}

function endFields(end: SettledCall) {
  return {
    tier: end.tier,
    outcome: end.outcome,
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
    ...verdictFields(end.verdict, end.cascadeUsd),
  };
}
