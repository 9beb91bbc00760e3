import { recordOfUsageCorrection } from '../../../engine/calls/usage-record-of-call.ts';
import { renderUsageLine, type UsageRecord } from '../../../engine/export/usage-record.ts';
import type { CallLedger } from '../../../engine/ledger/call-ledger.ts';
import { partsOfCost, unexplained } from '../../../engine/ledger/cost-parts.ts';
import type { CorrectionLedger } from '../../../engine/ledger/correction-ledger.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { newId } from '../../../kernel/ids.ts';
import { zeroUsd } from '../../../kernel/money.ts';
import type { Cost, Pricer } from '../../../pricing/price.ts';
import type { ProvenCall } from './difference.ts';
import { isCancelled } from './usage-moves.ts';

export interface CallSettlementsOptions {
  readonly calls: Pick<CallLedger, 'settleLate'>;
  readonly corrections: CorrectionLedger;
  readonly pricer: Pricer;
  readonly priceProviderOf: (provider: string) => string;
  readonly clock: Clock;
}

/** Who had a bill compared, and why: in the records of what it settles. */
export interface SettlementOperator {
  readonly actor: string;
  readonly reason: string;
}

/** Settles unsettled calls by what a bill says of them: late settlements, each with its correction record. */
export class CallSettlements {
  readonly #options: CallSettlementsOptions;

  constructor(options: CallSettlementsOptions) {
    this.#options = options;
  }

  /** False: the call is not unsettled any more. */
  async settle(proven: ProvenCall, { actor, reason }: SettlementOperator): Promise<boolean> {
    const { calls, corrections, clock } = this.#options;
    const call = await corrections.find(proven.call.id);
    if (call === undefined || call.state !== 'unsettled') return false;
    const now = clock.now();
    const { tokens, costUsd, requestId, answeredModel = proven.call.answeredModel } = proven;
    // A bill that does not tell tiers apart says nothing of the tier.
    const tier = proven.tier === undefined || proven.tier === 'batch' ? call.tier : proven.tier;
    const known = this.#costOf(proven, tier);
    const record: UsageRecord = {
      ...recordOfUsageCorrection(
        call,
        {
          id: newId(now),
          tokens,
          costUsd,
          costParts: known === undefined ? unexplained(costUsd) : partsOfCost(known.cost, costUsd),
          priceReference: known?.reference,
          priceCatalogue: known?.catalogue,
          actor,
          reason,
        },
        now,
      ),
      tier,
      ...(answeredModel === '' ? {} : { answeredModel }),
      ...(requestId === undefined ? {} : { providerRequestId: requestId }),
    };
    return await calls.settleLate(
      {
        id: call.id,
        state: 'settled',
        outcome: isCancelled(proven.call) ? 'cancelled' : 'error',
        settlement: 'reported',
        errorType: proven.call.errorType === '' ? undefined : proven.call.errorType,
        answeredModel: answeredModel === '' ? undefined : answeredModel,
        tier,
        providerRequestId: requestId ?? (proven.call.requestId === '' ? undefined : proven.call.requestId),
        tokens,
        rawUsage: undefined,
        costUsd,
        ...(known === undefined ? {} : { cost: known.cost }),
        upperBoundUsd: undefined,
        priceReference: known?.reference,
        priceCatalogue: known?.catalogue,
        // Nobody got its answer: what it cost bought nothing, as before.
        wasteReason: record.wasteReason ?? 'aborted',
        durationMs: proven.call.durationMs,
        firstChunkMs: undefined,
        answer: undefined,
      },
      [renderUsageLine(record)],
    );
  }

  /** The cost by class, where the price that is known makes exactly what was billed. */
  #costOf(
    { call, tokens, costUsd, answeredModel = call.answeredModel }: ProvenCall,
    tier: string,
  ): { readonly cost: Cost; readonly reference: string; readonly catalogue: string } | undefined {
    const { pricer, priceProviderOf } = this.#options;
    const question = {
      provider: priceProviderOf(call.provider),
      model: answeredModel === '' ? call.model : answeredModel,
      at: call.sentAt,
      tier,
      batch: call.tier === 'batch',
    };
    const pricing = pricer.price(question, tokens);
    if (pricing.kind !== 'priced' || !pricing.cost.total.minus(costUsd).equals(zeroUsd)) return undefined;
    if (!pricing.cost.request.isZero()) return undefined;
    return { cost: pricing.cost, reference: pricing.price.reference, catalogue: pricing.price.catalogue };
  }
}
