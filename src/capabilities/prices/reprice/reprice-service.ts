import { type Operator, requireUnbound } from '../../../http/operator.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { newId, type Uuid } from '../../../kernel/ids.ts';
import { priceOfStoredCall, type StoredCallPricing } from '../../../engine/calls/price-of-stored-call.ts';
import { recordOfRepricing } from '../../../engine/calls/usage-record-of-call.ts';
import { renderUsageLine } from '../../../engine/export/usage-record.ts';
import { isNoPart, partsDifference } from '../../../engine/ledger/cost-parts.ts';
import type {
  RepricedRow,
  RepriceLedger,
  RepricingRange,
  SettledRow,
} from '../../../engine/ledger/reprice-ledger.ts';
import type { Pricer } from '../../../pricing/price.ts';
import type { RepriceReport, RepriceRequest } from './reprice-document.ts';
import { RepriceTally } from './reprice-tally.ts';

/*
 * Calls are priced anew a slice at a time. The new cost and its correction record come into the ledger in one statement, which changes
 * only calls whose rows still say what was read: whoever dies in the middle, or runs beside another, leaves every call with the cost of
 * before or with the new one and its record. A call that costs what it did is left alone, so the same again changes nothing.
 */

export interface RepriceServiceOptions {
  readonly ledger: RepriceLedger;
  readonly pricer: Pricer;
  /** Whose prices the provider follows. */
  readonly priceProviderOf: (provider: string) => string;
  readonly clock: Clock;
  /** Rows of the ledger that are looked at in one statement. Default 500. */
  readonly rowsAtOnce?: number;
}

/** Bounds of one request: the rest is for the next. */
export interface RepriceBounds {
  readonly maxSlices: number;
}

type Priced = Extract<StoredCallPricing, { kind: 'priced' }>;
interface PricedCall {
  readonly call: SettledRow;
  readonly priced: Priced;
}

const defaultRowsAtOnce = 500;

/** Prices settled calls by the price book of today, and books the differences as corrections. */
export class RepriceService {
  readonly #options: RepriceServiceOptions;

  constructor(options: RepriceServiceOptions) {
    this.#options = options;
  }

  /**
   * Throws MILLRACE_FORBIDDEN for an operator of one team, and MILLRACE_REQUEST_INVALID where it goes on with an operation that is
   * another one's.
   */
  async reprice(request: RepriceRequest, operator: Operator, bounds: RepriceBounds): Promise<RepriceReport> {
    requireUnbound(operator, 'price calls anew, since that moves money in limits of spend');
    const { ledger, pricer, clock, rowsAtOnce = defaultRowsAtOnce } = this.#options;
    const { operationId } = request;
    if (operationId !== undefined && (await ledger.isOfAnother(operationId, operator.actor)))
      throw invalidRequest([
        {
          field: 'operationId',
          problem: 'is no repricing of yours: take that of the answer before, or leave it out',
        },
      ]);
    const range = rangeOf(request);
    const operation = {
      id: operationId ?? newId(clock.now()),
      actor: operator.actor,
      reason: request.reason,
      priceBook: pricer.version,
    };
    const tally = new RepriceTally();
    let after = request.after;
    for (let slice = 0; slice < bounds.maxSlices; slice += 1) {
      const { calls, next } = await ledger.slice(range, rowsAtOnce, after);
      await this.#repriceSlice(calls, { request, operation, tally });
      after = next;
      if (next === undefined) break;
    }
    const prunedMonths = request.after === undefined ? await ledger.countPruned(range) : [];
    return {
      operationId: operation.id,
      dryRun: request.dryRun,
      priceBook: operation.priceBook,
      ...tally.figures(),
      prunedCalls: prunedMonths.reduce((sum, month) => sum + month.calls, 0),
      prunedMonths: prunedMonths.map((month) => ({ ...month })),
      ...(after === undefined ? {} : { next: after }),
    };
  }

  async #repriceSlice(calls: readonly SettledRow[], work: SliceWork): Promise<void> {
    const { tally, request } = work;
    const { pricer, priceProviderOf } = this.#options;
    const changed: PricedCall[] = [];
    const unchanged: PricedCall[] = [];
    for (const call of calls) {
      const priced = priceOfStoredCall(pricer, priceProviderOf, call);
      if (priced.kind === 'kept') tally.keep(priced.reason);
      else (isSameCost(call, priced) ? unchanged : changed).push({ call, priced });
    }
    for (const { call, priced } of unchanged) tally.add(call, priced.costUsd, false);
    const written = request.dryRun || changed.length === 0 ? undefined : await this.#write(changed, work);
    for (const { call, priced } of changed) {
      if (written?.has(call.id) ?? true) tally.add(call, priced.costUsd, true);
      else tally.changedMeanwhile(1);
    }
  }

  async #write(
    changed: readonly PricedCall[],
    { request, operation }: SliceWork,
  ): Promise<ReadonlySet<Uuid>> {
    const { ledger, clock } = this.#options;
    const now = clock.now();
    const { from, to, provider, model, team } = request;
    const detail = { from, to, provider, model, team, priceBook: operation.priceBook };
    const rows = changed.map(({ call, priced }): RepricedRow => {
      const { settlement, costUsd, costDetail, upperBoundUsd, priceReference, priceCatalogue } = priced;
      const line = renderUsageLine(recordOfRepricing(call, priced, operation, now));
      return { call, settlement, costUsd, costDetail, upperBoundUsd, priceReference, priceCatalogue, line };
    });
    return ledger.reprice(rows, {
      id: operation.id,
      actor: operation.actor,
      reason: operation.reason,
      target: `calls from ${from} to ${to}`,
      detail,
    });
  }
}

interface SliceWork {
  readonly request: RepriceRequest;
  readonly operation: {
    readonly id: Uuid;
    readonly actor: string;
    readonly reason: string;
    readonly priceBook: string;
  };
  readonly tally: RepriceTally;
}

function rangeOf({ from, to, provider, model, team }: RepriceRequest): RepricingRange {
  return { from: new Date(from), to: new Date(to), provider, model, team };
}

/** Whether the call costs what it did, in every class, and as much is known of it. */
function isSameCost(call: SettledRow, priced: Priced): boolean {
  if (call.costUsd === undefined || !call.costUsd.equals(priced.costUsd)) return false;
  if (call.settlement !== priced.settlement) return false;
  const bound = call.upperBoundUsd;
  if (bound === undefined ? priced.upperBoundUsd !== undefined : !bound.equals(priced.upperBoundUsd ?? -1))
    return false;
  return call.costParts === undefined || isNoPart(partsDifference(priced.costParts, call.costParts));
}
