import type { Span } from '@opentelemetry/api';
import type { CallGate, GateEnd, GatePass } from './call-gate.ts';
import type { AppError } from '../../kernel/app-error.ts';
import { maxUsd, type Usd, zeroUsd } from '../../kernel/money.ts';
import type { CallLedger, CallSettlement, Settlement } from '../ledger/call-ledger.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Pricer } from '../../pricing/price.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LogOnce } from '../../telemetry/log-once.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import type { WasteReason } from '../export/usage-record.ts';
import { grantedWait, noteAskedWait } from './asked-wait.ts';
import type { AnswerStore } from './answer-store.ts';
import { type CallReport, measureUsage, reportOfFailure } from './call-report.ts';
import {
  abortFailure,
  classifyModelError,
  classifyStreamedError,
  type FailedStream,
  isRefusal,
  malformedAnswer,
  type ModelFailure,
  modelError,
} from '../providers/classify-model-error.ts';
import { describeEnd } from './call-span.ts';
import { columnText, columnUsage, toldText } from '../providers/column-text.ts';
import type { CallLabels, ModelMetrics } from './model-metrics.ts';
import { priceOfAnswer } from './price-of-answer.ts';
import type { QuotaSource } from './quota-source.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import type { ReportedError } from '../providers/reported-error.ts';
import { normalisedTier } from '../providers/request-bounds.ts';
import type { UsageLimits } from '../providers/usage-limits.ts';
import { SettlementWriter } from './settlement-writer.ts';
import type { CallFacts, EndOfCall } from './usage-record-of-call.ts';

/*
 * One request that is in the air, from its reservation to its one settlement.
 *
 *   reserved ─► settle(report) ─► settled, and only then does anybody see the answer
 *                    └─ the ledger had given it up meanwhile ─► settled late, with a correction
 *
 * Whoever comes first (the answer, an error, an abort, a consumer that left) settles; all others get the same promise.
 * A ledger that cannot be reached is asked again for some seconds, and one that refuses what the settlement holds gets it
 * without what is odd (see SettlementWriter). If that is in vain the row stays reserved: the
 * sweep for abandoned calls then keeps it as unsettled with its upper bound, and the handler gets the ledger's error.
 */

/** What calls need of their surroundings. */
export interface CallServices {
  /** What a request passes before it is reserved, in order. */
  readonly gates: readonly CallGate[];
  /** Who stands in for a model while its circuit is not closed: "provider/model" by "provider/model". */
  readonly fallbacks: Readonly<Record<string, string>>;
  /** What calls have to fit. */
  readonly quotas: QuotaSource;
  readonly ledger: CallLedger;
  readonly pricer: Pricer;
  /** The catalogue's limits of a model, remembered. */
  readonly limitsOf: (target: ModelTarget<unknown>) => ReturnType<Pricer['limits']>;
  readonly answers: AnswerStore;
  /** Every call of this process that is in the air. */
  readonly inAir: Set<MeteredCall>;
  /** The longest wait that a provider is granted. */
  readonly maxRetryAfterMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ModelMetrics;
  readonly logOnce: LogOnce;
}

/** How a call ended, for the sums of its scope. */
export interface SettledCall {
  readonly id: string;
  readonly settlement: Settlement;
  readonly tokens: TokenCounts;
  readonly costUsd: Usd | undefined;
  readonly upperBoundUsd: Usd | undefined;
}

export interface MeteredCallOptions {
  readonly services: CallServices;
  readonly facts: CallFacts;
  readonly target: ModelTarget<unknown>;
  readonly labels: CallLabels;
  readonly tier: string;
  /** The most that the provider can truly report. */
  readonly usageLimits: UsageLimits;
  readonly userSignal: AbortSignal | undefined;
  /** Whether it was reserved with quotas. */
  readonly hasQuotas: boolean;
  /** The leave that the gates gave, which are told how the call ended. */
  readonly pass: GatePass | undefined;
  readonly span: Span | undefined;
  /** It stands in the ledger. */
  readonly onSettled: (call: SettledCall) => void;
  /** Nothing more comes of it: it is settled, or could not be. */
  readonly onEnd: () => void;
}

export class MeteredCall {
  readonly #options: MeteredCallOptions;
  readonly #controller = new AbortController();
  readonly #startedMs: number;
  readonly #timer: NodeJS.Timeout;
  #firstChunkMs: number | undefined;
  #settling: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: MeteredCallOptions) {
    this.#options = options;
    const { services, target, userSignal } = options;
    this.#startedMs = services.clock.monotonicMs();
    this.#timer = setTimeout(() => this.abort(timeoutReason(target)), target.timeoutMs);
    userSignal?.addEventListener('abort', this.#onUserAbort, { once: true });
    if (userSignal?.aborted) this.#onUserAbort();
  }

  get id(): string {
    return this.#options.facts.id;
  }

  /** What is asked of whom, and for whom. */
  get facts(): CallFacts {
    return this.#options.facts;
  }

  /** Aborted by the user's signal, the end of the lease, the provider's time-out, or the end of the scope. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves when the call is settled, or could not be. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** The first part of a streamed answer has come. */
  markFirstChunk(): void {
    this.#firstChunkMs ??= this.#options.services.clock.monotonicMs() - this.#startedMs;
  }

  /** Waits for the model, or for the abort when the model does not heed it. */
  async race<Result>(work: PromiseLike<Result>): Promise<Result> {
    const { signal } = this;
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason as Error);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
    }
  }

  /** Understands what the model threw: an abort of this call explains everything but a refusal that came before it. */
  failureOf(error: unknown): ModelFailure {
    return this.#unlessAborted(classifyModelError(error, this.#options.services.clock.now()));
  }

  /** Understands an error that the provider told of within a stream. */
  failureInStream(told: ReportedError, stream: FailedStream): ModelFailure {
    return this.#unlessAborted(classifyStreamedError(told, stream, this.#options.services.clock.now()));
  }

  /** Settles a request that brought no answer, and gives the error for the handler. */
  async fail(
    error: unknown,
    report: (failure: ModelFailure) => CallReport = reportOfFailure,
  ): Promise<AppError> {
    const failure = this.failureOf(error);
    await this.settle(report(failure));
    return this.errorOf(failure, error);
  }

  /**
   * Reads what the model answered. An answer that is not as answers are, so that reading it throws, is a failure like one of the
   * provider: the call is settled, and the handler gets MILLRACE_MODEL_MALFORMED_ANSWER.
   */
  async understand<Understood>(read: () => Understood): Promise<Understood> {
    try {
      return read();
    } catch (error) {
      throw await this.fail(malformedAnswer(error));
    }
  }

  /** The failure as the handler sees it. */
  errorOf(failure: ModelFailure, cause: unknown): AppError {
    const parked = this.#options.pass?.parkedBy?.(failure.kind);
    if (parked !== undefined) return parked;
    const { target, services } = this.#options;
    return modelError(grantedWait(failure, services.maxRetryAfterMs), {
      model: `${target.provider}/${target.modelId}`,
      cause: this.signal.aborted ? this.signal.reason : cause,
    });
  }

  /**
   * Makes what came back durable: usage, price, answer and usage record. The first report counts; resolves when the
   * ledger has it.
   */
  settle(report: CallReport): Promise<void> {
    this.#settling ??= this.#settle(report).finally(() => this.#release());
    return this.#settling;
  }

  #unlessAborted(failure: ModelFailure): ModelFailure {
    return this.signal.aborted && !isRefusal(failure) ? abortFailure(this.signal.reason) : failure;
  }

  readonly #onUserAbort = (): void => this.abort(this.#options.userSignal?.reason);

  #release(): void {
    clearTimeout(this.#timer);
    this.#options.userSignal?.removeEventListener('abort', this.#onUserAbort);
    this.#options.onEnd();
    this.#ended.resolve();
  }

  async #settle(report: CallReport): Promise<void> {
    const { services, facts, labels, span, pass, onSettled } = this.#options;
    const durationMs = services.clock.monotonicMs() - this.#startedMs;
    const failure = report.failure?.kind;
    noteAskedWait(report.failure, this.#options);
    const ended = { failure, attempt: facts.attempt, durationMs, firstChunkMs: this.#firstChunkMs };
    let tokens: TokenCounts = {};
    let costUsd: Usd | undefined;
    let isUnpriced = false;
    let isSuspect = false;
    try {
      const end = await new SettlementWriter(this.#options).write(await this.#endOf(report, durationMs));
      ({ tokens, costUsd, isSuspect = false } = end);
      isUnpriced = end.state === 'settled' && costUsd === undefined;
      onSettled({
        id: facts.id,
        settlement: end.settlement,
        tokens,
        costUsd,
        upperBoundUsd: end.upperBoundUsd,
      });
      if (span !== undefined) describeEnd(span, end);
    } finally {
      pass?.end(gateEndOf(report, tokens, durationMs));
      const traceId =
        facts.owner.message === undefined ? undefined : traceIdOf(facts.owner.message.traceParent);
      services.metrics.requestEnded(labels, { ...ended, tokens, costUsd, isUnpriced, isSuspect, traceId });
      span?.end();
    }
  }

  async #endOf(report: CallReport, durationMs: number): Promise<EndOfCall> {
    const { facts } = this.#options;
    const measured = await measureUsage(report, this.#options.usageLimits);
    const { tokens, faults } = measured;
    this.#logFaults(report, faults);
    const tier = columnText(normalisedTier(report.tier ?? this.#options.tier));
    const answeredModel = toldText(report.answeredModel);
    const isFree = measured.settlement === 'free';
    const isUnsettled = measured.settlement === 'unsettled';
    const pricing = isFree || isUnsettled ? undefined : this.#price(answeredModel, tier, tokens);
    // A model that the request cannot have been answered by at its bound: what was asked for is priced, and the bound stands.
    const isBelieved = pricing?.isBelieved ?? true;
    const settlement = isBelieved ? measured.settlement : 'estimated';
    const isSuspect = measured.isSuspect || !isBelieved;
    const cost = pricing?.kind === 'priced' ? pricing.cost : undefined;
    const bound = facts.upperBoundUsd;
    // Nobody knows the cost of an unpriced call, and its bound stands.
    const isOpen = isUnsettled || settlement === 'estimated' || (!isFree && cost === undefined);
    return {
      id: facts.id,
      state: isUnsettled ? 'unsettled' : 'settled',
      outcome: outcomeOf(report.failure, isUnsettled),
      settlement,
      errorType: report.failure?.kind,
      answeredModel,
      tier,
      providerRequestId: toldText(report.providerRequestId),
      tokens,
      rawUsage: rawUsageText(report.rawUsage),
      costUsd: isFree ? zeroUsd : cost?.total,
      upperBoundUsd: isOpen && bound !== undefined ? maxUsd(bound, cost?.total ?? zeroUsd) : undefined,
      priceReference: pricing?.kind === 'priced' ? pricing.price.reference : undefined,
      priceCatalogue: pricing?.kind === 'priced' ? pricing.price.catalogue : undefined,
      wasteReason: isFree ? undefined : wasteOf(report),
      durationMs,
      firstChunkMs: this.#firstChunkMs,
      answer: await this.#keep(report.answer),
      ...(report.isDegenerate === true ? { isRejected: true } : {}),
      ...(isSuspect ? { isSuspect } : {}),
      cost,
    };
  }

  /**
   * Keeps the answer for later runs, without the provider's secrets: one that was spelled out over several events of a stream
   * stands in one piece only here. An answer that cannot be written is not kept: a later run asks, and pays, again.
   */
  async #keep(encode: CallReport['answer']): Promise<EndOfCall['answer']> {
    if (encode === undefined) return undefined;
    const { answers, logger } = this.#options.services;
    let json: string;
    try {
      json = this.#options.target.clean(encode());
    } catch (error) {
      logger.warn({ error, callId: this.id }, 'an answer cannot be written as JSON, and is not kept');
      return undefined;
    }
    return await answers.keep(json, this.id);
  }

  /** What the answer cost, and says so once when no price is known. */
  #price(
    answeredModel: string | undefined,
    tier: string,
    tokens: TokenCounts,
  ): ReturnType<typeof priceOfAnswer> {
    const { services, facts, target } = this.#options;
    const answered = answeredModel ?? target.modelId;
    const pricing = priceOfAnswer(
      services.pricer,
      {
        question: { provider: target.priceProvider, at: facts.sentAt, tier, batch: false },
        asked: target.modelId,
        answered,
        boundUsd: facts.upperBoundUsd,
      },
      tokens,
    );
    if (
      pricing.kind === 'unpriced' &&
      services.logOnce.isNew(`unpriced ${target.provider}/${answered} ${tier}`)
    ) {
      const { provider, modelId: model } = target;
      services.logger.warn(
        { provider, model, answeredModel: answered, tier, reason: pricing.reason },
        'no price is known for this model: its calls are kept as unpriced',
      );
    }
    return pricing;
  }

  #logFaults({ rawUsage }: CallReport, faults: readonly string[]): void {
    if (faults.length === 0) return;
    const { services, target } = this.#options;
    if (!services.logOnce.isNew(`usage ${target.provider}/${target.modelId}`)) return;
    services.logger.warn(
      { callId: this.id, provider: target.provider, model: target.modelId, faults, rawUsage },
      'the usage that the provider reported cannot be true: the call is kept as estimated',
    );
  }
}

/** The provider's usage block as text; what of it JSON does not carry is left to its own form as text. */
function rawUsageText(rawUsage: CallReport['rawUsage']): string | undefined {
  if (rawUsage === undefined) return undefined;
  try {
    return columnUsage(rawUsage);
  } catch {
    return JSON.stringify({ millrace_refused: { reason: 'the usage block cannot be written as JSON' } });
  }
}

function gateEndOf({ failure, headers }: CallReport, tokens: TokenCounts, durationMs: number): GateEnd {
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

function outcomeOf(failure: ModelFailure | undefined, isUnsettled: boolean): CallSettlement['outcome'] {
  if (failure === undefined) return 'ok';
  if (isUnsettled) return 'unknown';
  return failure.kind === 'aborted' ? 'cancelled' : 'error';
}

function wasteOf({ failure, isDegenerate }: CallReport): WasteReason | undefined {
  if (failure === undefined) return isDegenerate === true ? 'degenerate' : undefined;
  return failure.kind === 'aborted' ? 'aborted' : 'failed';
}

function timeoutReason({ provider, modelId, timeoutMs }: ModelTarget<unknown>): DOMException {
  return new DOMException(`${provider}/${modelId} did not answer within ${timeoutMs} ms`, 'TimeoutError');
}
