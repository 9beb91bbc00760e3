import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { type GatePass, passGates } from './call-gate.ts';
import { AppError } from '../../kernel/app-error.ts';
import { newId } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { callId, type RecordedCall } from '../ledger/call-ledger.ts';
import type { Origin } from '../../messages/origin.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import { CallJournal, type JournalEntry } from './call-journal.ts';
import type { CallOpener, CallQuestion, OpenedCall } from './call-opener.ts';
import { identifyingHeaders } from './identifying-headers.ts';
import { notReserved } from './not-reserved.ts';
import type { CallOwner, OwningMessage } from './call-owner.ts';
import { reportOfFailure } from './call-report.ts';
import { startCallSpan } from './call-span.ts';
import { abortFailure } from '../providers/classify-model-error.ts';
import { fallbackFor, soonestRefusal } from './fallback.ts';
import { GivenAnswers } from './given-answers.ts';
import { type CallServices, MeteredCall } from './metered-call.ts';
import { meteredEmbeddingModel } from './metered-embedding-model.ts';
import { MeteredLanguageModel } from './metered-language-model.ts';
import type { CallLabels } from './model-metrics.ts';
import { type ModelUse, stepOf } from './model-use.ts';
import type { ProviderRegistry } from '../providers/provider-registry.ts';
import { estimateInputTokens } from '../providers/input-estimate.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';
import { derivedSeed } from './request-parameters.ts';
import { type ScopeSpend, SpendCounter } from './scope-spend.ts';
import type { CallFacts } from './usage-record-of-call.ts';

/*
 * The calls of one run of a handler (or of some work outside a stage): what they are made for, what is recorded from
 * earlier runs, what is in the air. The end of the lease aborts them all; closing the scope aborts what its work left
 * behind and resolves when the last of them is settled.
 */

export interface CallScopeOptions {
  readonly services: CallServices;
  readonly registry: ProviderRegistry;
  readonly tracer?: MessageTracer;
  readonly origin: Origin;
  readonly message?: OwningMessage;
  readonly signal: AbortSignal;
  readonly journal?: readonly RecordedCall[];
}

export class CallScope implements CallOpener {
  readonly #options: CallScopeOptions;
  readonly #owner: CallOwner;
  /** What the handler was given so far, and how it is rejected. */
  readonly given: GivenAnswers;
  /** What the ids of its calls derive from. A lease of its own, so that an older one's late calls never collide. */
  readonly #idRoot: string;
  readonly #journal = new CallJournal();
  readonly #spend = new SpendCounter();
  readonly #open = new Set<MeteredCall>();
  /** Everything that close has to wait for: calls being opened, and calls in the air. */
  readonly #pending = new Set<Promise<unknown>>();
  #loading: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #wasCut = false;

  constructor(options: CallScopeOptions) {
    this.#options = options;
    const { message, origin, services, signal } = options;
    this.#owner = { origin, message };
    this.given = new GivenAnswers(services, this.#owner);
    this.#idRoot = message === undefined ? newId(services.clock.now()) : `${message.id}/${message.fence}`;
    if (options.journal !== undefined) {
      this.#journal.load(options.journal);
      this.#loading = Promise.resolve();
    } else if (message === undefined || message.deliveries <= 1) {
      this.#loading = Promise.resolve();
    }
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The language model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  languageModel(reference: string, use: ModelUse = {}): LanguageModelV4 {
    const { registry, services } = this.#options;
    const target = registry.languageModel(reference);
    const fallback = use.fallback ?? services.fallbacks[reference];
    return new MeteredLanguageModel({
      target,
      fallback: fallback === undefined || fallback === false ? undefined : registry.languageModel(fallback),
      reference,
      step: stepOf(use),
      reuse: use.reuse ?? 'same_question',
      rules: use.rules ?? {},
      derivesSeed: use.seed === 'derived',
      calls: this,
      given: this.given,
      limitsOf: services.limitsOf,
    });
  }

  /** The embedding model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  embeddingModel(reference: string, use: ModelUse = {}): EmbeddingModelV4 {
    return meteredEmbeddingModel({
      target: this.#options.registry.embeddingModel(reference),
      reference,
      step: stepOf(use),
      reuse: use.reuse ?? 'same_question',
      calls: this,
      given: this.given,
    });
  }

  /** What the calls of this scope cost so far. */
  spend(): ScopeSpend {
    return this.#spend.total;
  }

  /** Whether its signal cut a call: what the handler made of that answer is none, though a stream may just have ended. */
  get wasCut(): boolean {
    return this.#wasCut;
  }

  /** Ends the scope: aborts what is still in the air, and resolves after the last settlement. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  open(question: CallQuestion): Promise<OpenedCall> {
    // Taken before anything is waited for, so that requests made side by side keep their order in every run.
    const ordinal = this.#journal.takeOrdinal(question.step);
    return this.#track(this.#openAt(question, ordinal));
  }

  async #openAt(question: CallQuestion, ordinal: number): Promise<OpenedCall> {
    this.#loading ??= this.#loadJournal();
    await this.#loading;
    this.#checkOpen(question.userSignal);
    const entry = this.#journal.decide(question.step, ordinal, question.digest, question.reuse);
    if (entry.kind === 'reuse')
      return { kind: 'recorded', id: entry.call.id, answer: await this.#recordedAnswer(question, entry) };
    if (entry.hasDiverged) this.#noteDivergence(question, ordinal);
    const { call, asked } = await this.#admitOrFallBack(question, ordinal, entry.attempt);
    const headers = identifyingHeaders(asked, call.id, entry.attempt, this.#options.message);
    const seed = this.#seedOf(asked, ordinal, entry.attempt);
    return { kind: 'call', call, headers, isFallback: asked !== question, seed };
  }

  /**
   * A model whose circuit refuses is stood in for by its fallback, if it has one. The question stays the same: its
   * digest is that of the model that was meant, so that the answer is found again whoever gave it.
   */
  async #admitOrFallBack(
    question: CallQuestion,
    ordinal: number,
    attempt: number,
  ): Promise<{ readonly call: MeteredCall; readonly asked: CallQuestion }> {
    try {
      return { call: await this.#admit(question, ordinal, attempt), asked: question };
    } catch (error) {
      const asked = fallbackFor(question, error);
      if (asked === undefined) throw error;
      try {
        const call = await this.#admit(asked, ordinal, attempt, question.fallback?.insteadOf);
        const { provider, modelId } = asked.target;
        this.#options.services.metrics.fellBack(question.fallback?.insteadOf ?? '', `${provider}/${modelId}`);
        return { call, asked };
      } catch (other) {
        throw soonestRefusal(error, other);
      }
    }
  }

  /** Through the gates and into the ledger. What passed and then was not reserved is told that nothing was sent. */
  async #admit(
    question: CallQuestion,
    ordinal: number,
    attempt: number,
    fallbackFrom?: string,
  ): Promise<MeteredCall> {
    const bounds = question.bounds();
    const pass = await this.#pass(question, attempt, bounds);
    try {
      return await this.#reserve(question, { ordinal, attempt, bounds, pass, fallbackFrom });
    } catch (error) {
      pass?.end({ kind: 'not_sent' });
      throw error;
    }
  }

  async #pass(
    { target, operation, step, userSignal, inputText }: CallQuestion,
    attempt: number,
    bounds: RequestBounds,
  ): Promise<GatePass | undefined> {
    const { services, origin, message, signal } = this.#options;
    if (services.gates.length === 0) return undefined;
    return await passGates(services.gates, {
      provider: target.provider,
      model: target.modelId,
      operation,
      stage: message?.stage ?? '',
      origin,
      step,
      attempt,
      ...bounds,
      estimateTokens: () => estimateInputTokens(target.modelId, inputText()),
      signal: userSignal === undefined ? signal : AbortSignal.any([signal, userSignal]),
    });
  }

  async #reserve(
    question: CallQuestion,
    { ordinal, attempt, bounds, pass, fallbackFrom }: AdmittedRequest,
  ): Promise<MeteredCall> {
    const { services, tracer, message, origin } = this.#options;
    const { target, step, operation, tier } = question;
    const askedAt = services.clock.now();
    const asked: Omit<CallFacts, 'sentAt'> = {
      id: callId(askedAt, this.#idRoot, step, ordinal, attempt),
      owner: this.#owner,
      step,
      attempt,
      provider: target.provider,
      model: target.modelId,
      operation,
      requestKind: 'single',
      fallbackFrom,
      upperBoundUsd: services.pricer.upperBound(
        { provider: target.priceProvider, model: target.modelId, at: askedAt, tier, batch: false },
        bounds.maxInputTokens,
        bounds.maxOutputTokens,
      ),
    };
    const { upperBoundUsd } = asked;
    const limited = { origin, model: `${asked.provider}/${asked.model}`, upperBoundUsd };
    const quotas = services.quotas.concerning(limited);
    const outcome = await services.ledger.reserve({
      id: asked.id,
      message: message === undefined ? undefined : { id: message.id, fence: message.fence },
      origin: message === undefined ? origin : undefined,
      step,
      ordinal,
      attempt,
      provider: asked.provider,
      model: asked.model,
      operation,
      tier,
      requestKind: 'single',
      requestDigest: question.digest,
      fallbackFrom,
      upperBoundUsd,
      parameters: question.parameters(this.#seedOf(question, ordinal, attempt)),
      quotas,
    });
    if (outcome.kind === 'over_quota') throw services.quotas.refusal(limited, outcome);
    if (outcome.kind !== 'reserved') throw notReserved(outcome, step);
    const facts: CallFacts = { ...asked, sentAt: outcome.at };
    const labels = this.#labelsOf(question);
    services.metrics.requestBegan(labels);
    const call = new MeteredCall({
      services,
      facts,
      target,
      labels,
      tier,
      usageLimits: bounds.usageLimits,
      userSignal: question.userSignal,
      hasQuotas: quotas.length > 0,
      pass,
      span: tracer === undefined ? undefined : startCallSpan(tracer, facts, question.maxOutputTokens),
      onSettled: (settled) => this.#spend.add(settled),
      onEnd: () => {
        this.#open.delete(call);
        services.inAir.delete(call);
      },
    });
    this.#open.add(call);
    services.inAir.add(call);
    await this.#refuseStopped(call);
    return call;
  }

  /** A scope that was stopped while the reservation was written sends nothing: the call is free. */
  async #refuseStopped(call: MeteredCall): Promise<void> {
    const { signal } = this.#options;
    if (signal.aborted) call.abort(signal.reason);
    if (this.#closing !== undefined) call.abort(closedError());
    if (!call.signal.aborted) return;
    const failure = { ...abortFailure(call.signal.reason), billing: 'free' as const };
    await call.settle(reportOfFailure(failure));
    throw call.errorOf(failure, call.signal.reason);
  }

  #seedOf({ derivesSeed, step }: CallQuestion, ordinal: number, attempt: number): number | undefined {
    if (!derivesSeed) return undefined;
    return derivedSeed(this.#options.message?.id ?? this.#idRoot, step, ordinal, attempt);
  }

  #checkOpen(userSignal: AbortSignal | undefined): void {
    if (this.#closing !== undefined) throw closedError();
    const stopped = [this.#options.signal, userSignal].find((signal) => signal?.aborted);
    if (stopped === undefined) return;
    const { reason } = stopped as { reason: unknown };
    throw reason instanceof AppError
      ? reason
      : new AppError('MILLRACE_MODEL_ABORTED', 'The work was stopped before the request was made.', {
          cause: reason,
        });
  }

  async #recordedAnswer(
    question: CallQuestion,
    { call, answer }: JournalEntry & { kind: 'reuse' },
  ): Promise<string> {
    const { answers, metrics } = this.#options.services;
    try {
      const json = await answers.fetch(answer);
      this.#spend.addReused();
      metrics.answerReused(this.#labelsOf(question));
      return json;
    } catch (error) {
      this.#journal.giveBack(call);
      throw error;
    }
  }

  async #loadJournal(): Promise<void> {
    const { services, message } = this.#options;
    invariant(message !== undefined, 'a scope with a journal to load has a message');
    try {
      this.#journal.load(await services.ledger.callsOf(message.id));
    } catch (error) {
      // The next request of this run looks again.
      this.#loading = undefined;
      throw error;
    }
  }

  #noteDivergence(question: CallQuestion, ordinal: number): void {
    const { services, message } = this.#options;
    const labels = this.#labelsOf(question);
    services.metrics.stepDiverged(labels);
    if (!services.logOnce.isNew(`diverged ${labels.stage} ${question.step}`)) return;
    services.logger.warn(
      { messageId: message?.id, stage: labels.stage, step: question.step, ordinal },
      'a step asks something else than when its answer was recorded: it is called anew',
    );
  }

  #labelsOf({ target }: CallQuestion): CallLabels {
    const { message } = this.#options;
    return {
      provider: target.provider,
      model: target.modelId,
      stage: message?.stage ?? '',
      owner: message?.owner ?? '',
    };
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#pending.add(work);
    const forget = (): boolean => this.#pending.delete(work);
    work.then(forget, forget);
    return work;
  }

  readonly #onAbort = (): void => {
    this.#wasCut = this.#open.size > 0;
    for (const call of this.#open) call.abort(this.#options.signal.reason);
  };

  async #close(): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    while (this.#pending.size > 0 || this.#open.size > 0) {
      for (const call of this.#open) call.abort(closedError());
      await Promise.allSettled([...this.#pending, ...[...this.#open].map((call) => call.ended)]);
    }
  }
}

/** A request that has passed the gates. */
interface AdmittedRequest {
  readonly ordinal: number;
  readonly attempt: number;
  readonly bounds: RequestBounds;
  readonly pass: GatePass | undefined;
  readonly fallbackFrom: string | undefined;
}

function closedError(): AppError {
  return new AppError('MILLRACE_MODEL_ABORTED', 'The work that made this request has ended.');
}
