import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isUuid, newId } from '../../kernel/ids.ts';
import { formatUsd, type Usd } from '../../kernel/money.ts';
import type { CorrectableCall, CorrectionLedger } from '../../engine/ledger/correction-ledger.ts';
import { recordOfUsageCorrection } from '../../engine/calls/usage-record-of-call.ts';
import { partsOfCost, unexplained } from '../../engine/ledger/cost-parts.ts';
import { usageDetail } from '../../engine/ledger/record-detail.ts';
import type { Pricer } from '../../pricing/price.ts';
import { type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import { renderUsageLine } from '../../engine/export/usage-record.ts';
import { type Operator, requireUnbound } from '../../http/operator.ts';

/** A correction as an operator asks for it. */
export interface CorrectionRequest {
  readonly id: string;
  /** What the call truly used; classes that are left out are 0. */
  readonly tokens: TokenCounts;
  /** What the provider billed; without it the catalogue's price at the time of the call. */
  readonly costUsd?: Usd;
  readonly dryRun: boolean;
  readonly reason: string;
}

/** What a correction did, or would do. */
export interface CorrectionReport {
  readonly id: string;
  readonly dryRun: boolean;
  /** False: the call says this already. */
  readonly isChanged: boolean;
  readonly actionId?: string;
  readonly before: CorrectedUsage;
  readonly after: CorrectedUsage;
}

interface CorrectedUsage {
  readonly tokens: TokenCounts;
  /** Absent when it is not known. */
  readonly costUsd?: string;
}

export interface CorrectionServiceOptions {
  readonly ledger: CorrectionLedger;
  readonly pricer: Pricer;
  /** Whose prices the provider follows. */
  readonly priceProviderOf: (provider: string) => string;
  readonly clock: Clock;
}

/** Corrects the usage of calls that were booked wrong: a correction record, the quotas, and an audit record. */
export class CorrectionService {
  readonly #options: CorrectionServiceOptions;

  constructor(options: CorrectionServiceOptions) {
    this.#options = options;
  }

  /**
   * Throws MILLRACE_FORBIDDEN for an operator of one team, MILLRACE_NOT_FOUND without such a call, and
   * MILLRACE_REQUEST_INVALID when it cannot be priced.
   */
  async correct(request: CorrectionRequest, operator: Operator): Promise<CorrectionReport> {
    requireUnbound(operator, 'correct calls, since a correction moves money in limits of spend');
    const { ledger, clock } = this.#options;
    const { id, dryRun, reason } = request;
    const call = isUuid(id) ? await ledger.find(id) : undefined;
    if (call === undefined)
      throw new AppError(
        'MILLRACE_NOT_FOUND',
        `There is no call ${id} that has ended. Calls leave the ledger after the retention time.`,
      );
    const tokens = withoutZeros(request.tokens);
    const priced = this.#price(call, tokens, request.costUsd);
    const { costUsd, costDetail, priceReference, priceCatalogue } = priced;
    const isChanged =
      call.settlement !== 'reported' ||
      !isSame(call.tokens, tokens) ||
      call.costUsd === undefined ||
      !call.costUsd.equals(costUsd);
    const report = {
      id,
      dryRun,
      isChanged,
      before: {
        tokens: call.tokens,
        ...(call.costUsd === undefined ? {} : { costUsd: formatUsd(call.costUsd) }),
      },
      after: { tokens, costUsd: formatUsd(costUsd) },
    };
    if (dryRun || !isChanged) return report;
    const now = clock.now();
    const audit = {
      id: newId(now),
      actor: operator.actor,
      reason,
      target: `call ${id}`,
      detail: { from: report.before, to: report.after },
    };
    const record = recordOfUsageCorrection(call, { ...audit, tokens, ...priced }, now);
    const line = renderUsageLine(record);
    if (
      !(await ledger.correct(
        { call, tokens, costUsd, costDetail, priceReference, priceCatalogue, line },
        audit,
      ))
    )
      throw new AppError('MILLRACE_REQUEST_INVALID', `The call ${id} has changed meanwhile: look again.`);
    return { ...report, actionId: audit.id };
  }

  #price(call: CorrectableCall, tokens: TokenCounts, billedUsd: Usd | undefined) {
    const { pricer, priceProviderOf } = this.#options;
    const { provider, tier, reservedAt: at, requestKind } = call;
    for (const model of [call.answeredModel ?? call.model, call.model]) {
      const question = {
        provider: priceProviderOf(provider),
        model,
        at,
        tier,
        batch: requestKind === 'batch',
      };
      const pricing = pricer.price(question, tokens);
      if (pricing.kind === 'priced') {
        const { price, cost } = pricing;
        const costUsd = billedUsd ?? cost.total;
        // What was billed has no price reference; its classes are those of the list, and the rest is of no class.
        return {
          costUsd,
          costParts: partsOfCost(cost, costUsd),
          costDetail: usageDetail(tokens, cost),
          priceReference: billedUsd === undefined ? price.reference : undefined,
          priceCatalogue: billedUsd === undefined ? price.catalogue : undefined,
        };
      }
    }
    if (billedUsd !== undefined) {
      const costParts = unexplained(billedUsd);
      // No class has anything, which is known: the row says so.
      const costDetail = '"cost_request":"0"';
      return {
        costUsd: billedUsd,
        costParts,
        costDetail,
        priceReference: undefined,
        priceCatalogue: undefined,
      };
    }
    throw new AppError(
      'MILLRACE_REQUEST_INVALID',
      `No price is known for ${provider}/${call.model}: say with --cost what the provider billed.`,
    );
  }
}

function withoutZeros(tokens: TokenCounts): TokenCounts {
  return Object.fromEntries(Object.entries(tokens).filter(([, count]) => count !== 0));
}

function isSame(one: TokenCounts, other: TokenCounts): boolean {
  return tokenClasses.every((name) => (one[name] ?? 0) === (other[name] ?? 0));
}
