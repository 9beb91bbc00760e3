import { maxUsd, type Usd, zeroUsd } from '../../kernel/money.ts';
import type { Pricer } from '../../pricing/price.ts';
import { priceProviderOf } from '../../pricing/provider-names.ts';
import { tierOf } from '../../pricing/tier-names.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LogOnce } from '../../telemetry/log-once.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import type { ModelFailure } from '../providers/classify-model-error.ts';
import { columnText, toldText } from '../providers/column-text.ts';
import type { AnswerStore } from './answer-store.ts';
import type { Appraisal } from './appraisal.ts';
import { grantedWait, noteAskedWait } from './asked-wait.ts';
import type { CallInFlight } from './call-in-flight.ts';
import { lastModelUsd } from './cascade-rule.ts';
import { type CallReport, type MeasuredUsage, measureUsage } from './call-report.ts';
import { describeEnd } from './call-span.ts';
import type { ModelMetrics } from './model-metrics.ts';
import { priceOfAnswer, tokensOfCall } from './price-of-answer.ts';
import { type CallTimes, gateEndOf, settledCall } from './settle-call.ts';
import type { SettlementWriter } from './settlement-writer.ts';
import type { SettledCall } from '../ledger/settlement.ts';

export interface CallSettlerOptions {
  readonly writer: SettlementWriter;
  readonly pricer: Pricer;
  readonly answers: AnswerStore;
  /** The longest wait that a provider is granted. */
  readonly maxRetryAfterMs: number;
  readonly logger: Logger;
  readonly logOnce: LogOnce;
  readonly metrics: ModelMetrics;
}

/** What an answer is priced by. */
interface PricedAnswer {
  readonly pricedModel: string | undefined;
  readonly tier: string;
  readonly measured: MeasuredUsage;
}

/** A call, or the whole of a request that several share. */
export type AppraisedRequest = Pick<CallInFlight, 'facts' | 'target' | 'bounds'>;

/** What the end of a call is made of. */
export type SettledFor = Pick<CallInFlight, 'facts' | 'target' | 'bounds' | 'hasQuotas'>;

function isBatch({ requestKind }: CallInFlight['facts']): boolean {
  return requestKind === 'batch';
}

/** The name to price by: what is no name tells of no other model than the one that was asked. */
function namedModel(told: unknown): string | undefined {
  return typeof told === 'string' && told.trim() !== '' ? toldText(told) : undefined;
}

/** Makes of what came back about a call what the ledger keeps, and tells gates, metrics and span of it. */
export class CallSettler {
  readonly #options: CallSettlerOptions;

  constructor(options: CallSettlerOptions) {
    this.#options = options;
  }

  /**
   * Settles the call, and answers how. Throws what the ledger throws when it takes the settlement in no form. `appraisal`: its part
   * of a shared request, which is appraised as a whole.
   */
  async settle(
    call: CallInFlight,
    report: CallReport,
    times: CallTimes,
    appraisal?: Appraisal,
  ): Promise<SettledCall> {
    const { facts, labels, span, pass } = call;
    const { writer, metrics } = this.#options;
    noteAskedWait(report.failure, call, this.#options);
    let tokens: TokenCounts = {};
    let costUsd: Usd | undefined;
    let isUnpriced = false;
    let isSuspect = false;
    try {
      const end = await writer.write(call, await this.#endOf(call, report, times, appraisal));
      ({ tokens, costUsd, isSuspect = false } = end);
      isUnpriced = end.state === 'settled' && costUsd === undefined;
      if (span !== undefined) describeEnd(span, end);
      return end;
    } finally {
      pass?.end(gateEndOf(report, tokens, times.durationMs));
      const { message } = facts;
      if (report.cascade !== undefined) metrics.cascadeDecided(labels, report.cascade.verdict);
      const traceId = message === undefined ? undefined : traceIdOf(message.traceParent);
      const ended = { failure: report.failure?.kind, attempt: facts.attempt, ...times };
      const whole = { ...ended, tokens, costUsd, isUnpriced, isSuspect, traceId };
      if (facts.sharedRequest === undefined) metrics.requestEnded(labels, whole);
      metrics.callEnded(labels, whole);
      span?.end();
    }
  }

  /**
   * What became known of a call that was settled as of unknown outcome. It is told to no gate and no metric: they have counted it. A
   * ledger that does not take it leaves the upper bound standing.
   */
  async settleLate(
    call: CallInFlight,
    report: CallReport,
    appraisal: Appraisal,
    times: CallTimes,
  ): Promise<void> {
    const { writer, logger } = this.#options;
    try {
      await writer.write(call, await this.#endOf(call, report, times, appraisal));
    } catch (error) {
      logger.warn({ error, callId: call.facts.id }, 'a call of unknown outcome could not be settled late');
    }
  }

  /** What a request used and cost. */
  async appraise(call: AppraisedRequest, report: CallReport): Promise<Appraisal> {
    const measured = await measureUsage(report, call.bounds.usageLimits);
    this.#logFaults(call, report, measured.faults);
    // In the words of prices, by which reports group; the provider's own word stands in the raw usage where it is part of that.
    const tier = tierOf(
      columnText(report.tier ?? call.facts.tier),
      priceProviderOf(call.target.priceProvider),
    );
    const pricedModel = namedModel(report.answeredModel);
    const { settlement, isSuspect } = measured;
    const isPriced = settlement !== 'free' && settlement !== 'unsettled';
    return {
      settlement,
      isSuspect,
      tokens: tokensOfCall(measured.tokens, measured.beside),
      pricing: isPriced ? this.#price(call, report, { pricedModel, tier, measured }) : undefined,
      answeredModel: toldText(report.answeredModel),
      pricedModel,
      tier,
    };
  }

  /** The failure with as long a wait as a provider is granted. */
  granted(failure: ModelFailure): ModelFailure {
    return grantedWait(failure, this.#options.maxRetryAfterMs);
  }

  /** What is to be written about the end of a call; the gates and metrics of one that was sent from here learn of it from `settle`. */
  async endOf(call: SettledFor, report: CallReport, times: CallTimes): Promise<SettledCall> {
    return await this.#endOf(call, report, times, undefined);
  }

  async #endOf(
    call: SettledFor,
    report: CallReport,
    times: CallTimes,
    part: Appraisal | undefined,
  ): Promise<SettledCall> {
    const appraisal = part ?? (await this.appraise(call, report));
    return settledCall(call, report, {
      ...appraisal,
      boundUsd: () => this.#boundOf(call, report, appraisal.pricedModel, appraisal.tier),
      providerRequestId: toldText(report.providerRequestId),
      answer: await this.#keep(call, report.answer),
      cascadeUsd: this.#lastModelUsd(call, report, appraisal),
      ...times,
    });
  }

  /**
   * Keeps the answer for later runs, without the provider's secrets: one that was spelled out over several events of a stream
   * stands in one piece only here. An answer that cannot be written is not kept: a later run asks, and pays, again.
   */
  async #keep({ facts, target }: SettledFor, encode: CallReport['answer']): Promise<SettledCall['answer']> {
    if (encode === undefined) return undefined;
    const { answers, logger } = this.#options;
    let json: string;
    try {
      json = target.clean(encode());
    } catch (error) {
      logger.warn({ error, callId: facts.id }, 'an answer cannot be written as JSON, and is not kept');
      return undefined;
    }
    return await answers.keep(json, facts.id);
  }

  /** What the answer cost; says so once when no price is known of the model, or of a use of the provider's tools. */
  #price(
    call: AppraisedRequest,
    report: CallReport,
    { pricedModel, tier, measured }: PricedAnswer,
  ): ReturnType<typeof priceOfAnswer> {
    const { facts, target } = call;
    const { geography } = report;
    const { pricer, logger, logOnce } = this.#options;
    const { provider, modelId: model } = target;
    const answered = pricedModel ?? model;
    const question = {
      provider: target.priceProvider,
      at: facts.reservedAt,
      tier,
      batch: isBatch(facts),
      geography,
    };
    const asked = { question, asked: model, answered, boundUsd: facts.upperBoundUsd };
    const pricing = priceOfAnswer(pricer, asked, measured.tokens, measured.beside);
    if (pricing.fault !== undefined) this.#logFaults(call, report, [pricing.fault]);
    const open = pricing.kind === 'priced' ? pricing.openUnits?.join(', ') : pricing.reason;
    if (open !== undefined && logOnce.isNew(`unpriced ${provider}/${answered} ${tier}`)) {
      logger.warn(
        { provider, model, answeredModel: answered, tier, reason: open },
        pricing.kind === 'priced'
          ? 'no price is known for what the provider did beside the answer: its calls are kept as estimated'
          : 'no price is known for this model: its calls are kept as unpriced',
      );
    }
    return pricing;
  }

  /** The most that the call can have cost: of what was asked for and what answered, the more expensive. */
  #boundOf(
    { facts, target, bounds }: SettledFor,
    { geography }: CallReport,
    answeredModel: string | undefined,
    tier: string,
  ): Usd | undefined {
    const reserved = facts.upperBoundUsd;
    const model = answeredModel ?? target.modelId;
    const question = {
      provider: target.priceProvider,
      model,
      at: facts.reservedAt,
      tier,
      batch: isBatch(facts),
      geography,
    };
    const { maxInputTokens, maxOutputTokens, maxUnits } = bounds;
    const answered = this.#options.pricer.upperBound(question, maxInputTokens, maxOutputTokens, maxUnits);
    return answered === undefined ? reserved : maxUsd(reserved ?? zeroUsd, answered);
  }

  #lastModelUsd(
    { facts, target }: SettledFor,
    { cascade }: CallReport,
    { tokens, tier, pricing }: Appraisal,
  ): Usd | undefined {
    if (cascade?.verdict !== 'accepted') return undefined;
    const uses = pricing?.kind === 'priced' ? pricing.cost.uses : undefined;
    const { priceProvider } = target;
    return lastModelUsd(this.#options.pricer, { ...facts, priceProvider, tier, tokens, uses }, cascade.last);
  }

  #logFaults({ facts, target }: AppraisedRequest, { rawUsage }: CallReport, faults: readonly string[]): void {
    if (faults.length === 0) return;
    const { logger, logOnce } = this.#options;
    if (!logOnce.isNew(`usage ${target.provider}/${target.modelId}`)) return;
    logger.warn(
      { callId: facts.id, provider: target.provider, model: target.modelId, faults, rawUsage },
      'the usage that the provider reported cannot be true: the call is kept as estimated',
    );
  }
}
