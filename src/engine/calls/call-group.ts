import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { AppError } from '../../kernel/app-error.ts';
import { abortFailure } from '../providers/classify-model-error.ts';
import type { CallDeferring, UnansweredRequest } from './call-deferring.ts';
import type { CallInFlight } from './call-in-flight.ts';
import type { CallOpener, CallQuestion, OpenedCall } from './call-opener.ts';
import type { CallPlace } from './call-opening.ts';
import type { CallMaker } from './call-maker.ts';
import type { AnswerObserver } from './call-observer.ts';
import type { Parked } from '../parked.ts';
import { CascadeLanguageModel } from './cascade-language-model.ts';
import { type PlaceInCascade, placesOfCascade } from './cascade-places.ts';
import type { AcceptRule, CascadeRule } from './cascade-rule.ts';
import { reportOfFailure } from './call-report.ts';
import type { GivenAnswers } from './given-answers.ts';
import { identifyingHeaders } from './identifying-headers.ts';
import type { MeteredCall } from './metered-call.ts';
import type { CallsInAir } from './calls-in-air.ts';
import { meteredEmbeddingModel } from './metered-embedding-model.ts';
import { microBatchSettings } from './micro-batch-settings.ts';
import type { MicroBatches } from './micro-batches.ts';
import { MeteredLanguageModel } from './metered-language-model.ts';
import type { ModelDirectory } from './model-directory.ts';
import { type ModelUse, stepOf } from './model-use.ts';
import type { RecordedAnswers, RequestPlace } from './recorded-answers.ts';
import { type CallGroupSpend, SpendCounter } from './call-group-spend.ts';

/*
 * The calls of one run of a handler (or of some work outside a stage): what they are made for, what is recorded from
 * earlier runs, what is under way. The end of the lease aborts them all; closing the scope aborts what its work left
 * behind and resolves when the last of them is settled.
 */

export interface CallGroupOptions {
  readonly models: ModelDirectory;
  readonly deferring: CallDeferring;
  readonly inAir: CallsInAir;
  readonly microBatches: MicroBatches;
  readonly maker: CallMaker;
  readonly given: GivenAnswers;
  readonly recorded: RecordedAnswers;
}

export class CallGroup implements CallOpener {
  readonly #options: CallGroupOptions;
  readonly #spend = new SpendCounter();
  readonly #open = new Set<MeteredCall>();
  /** Everything that close has to wait for: calls being opened, and calls under way. */
  readonly #pending = new Set<Promise<unknown>>();
  /** Calls that are being opened: they need nothing of other messages. */
  readonly #opening = new Set<Promise<unknown>>();
  /** The handler is about to be left, since one of its requests is made by another message: nothing more is sent. */
  #parked: Parked | undefined;
  #closing: Promise<void> | undefined;
  #wasCut = false;

  constructor(options: CallGroupOptions) {
    this.#options = options;
    options.maker.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** What the handler was given so far, and how it is rejected. */
  get given(): GivenAnswers {
    return this.#options.given;
  }

  /** The language model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  languageModel(reference: string, use: ModelUse = {}): LanguageModelV4 {
    return this.#languageModel(reference, { ...use, step: stepOf(use) });
  }

  /**
   * The language models of several "provider/model" as one, of which each is asked when the answers of those before it are not accepted.
   * Throws MILLRACE_MODEL_UNKNOWN.
   */
  cascade(references: readonly string[], accept: AcceptRule, use: ModelUse = {}): LanguageModelV4 {
    const step = stepOf(use);
    const places = placesOfCascade(references, step);
    const last = this.#options.models.languageModel(places.last.reference);
    const modelAt = ({ reference, place, models, step: own }: PlaceInCascade): MeteredLanguageModel => {
      const isLast = place === models;
      const cascade = { place, models, step, last, accept: isLast ? undefined : accept };
      return this.#languageModel(reference, { ...use, step: own, cascade });
    };
    return new CascadeLanguageModel({ smaller: places.smaller.map(modelAt), last: modelAt(places.last) });
  }

  #languageModel(
    reference: string,
    { step, cascade, ...use }: ModelUse & { readonly step: string; readonly cascade?: CascadeRule },
  ): MeteredLanguageModel {
    const { models } = this.#options;
    return new MeteredLanguageModel({
      target: models.languageModel(reference),
      fallback: models.fallbackOf(reference, use.fallback),
      models,
      reference,
      step,
      reuse: use.reuse ?? 'same_question',
      rules: use.rules ?? {},
      derivesSeed: use.seed === 'derived',
      cascade,
      calls: this,
      given: this.given,
      isPublished: use.publish === true,
    });
  }

  /** The embedding model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  embeddingModel(reference: string, use: ModelUse = {}): EmbeddingModelV4 {
    return meteredEmbeddingModel({
      target: this.#options.models.embeddingModel(reference),
      reference,
      step: stepOf(use),
      reuse: use.reuse ?? 'same_question',
      microBatch: microBatchSettings(use.microBatch ?? false),
      microBatches: this.#options.microBatches,
      calls: this,
      given: this.given,
    });
  }

  /** What the calls of this scope cost so far. */
  spend(): CallGroupSpend {
    return this.#spend.total;
  }

  /** Whether its signal cut a call: what the handler made of that answer is none, though a stream may just have ended. */
  get wasCut(): boolean {
    return this.#wasCut;
  }

  /** Ends the scope: aborts what is still under way, and resolves after the last settlement. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  beginAnswer(step: string): AnswerObserver | undefined {
    return this.#options.maker.observer?.beginAnswer(step);
  }

  open(question: CallQuestion): Promise<OpenedCall> {
    // Taken before anything is waited for, so that requests made side by side keep their order in every run.
    return this.#track(this.#openAt(question, this.#options.recorded.takePlace(question)));
  }

  openAlone(
    { join: _join, fingerprint: _fingerprint, ...question }: CallQuestion,
    ordinal: number,
  ): Promise<OpenedCall> {
    return this.#track(this.#openAt(question, { ordinal, occurrence: 1 }, true));
  }

  async #openAt(question: CallQuestion, place: RequestPlace, isFirstTry = false): Promise<OpenedCall> {
    const { recorded } = this.#options;
    await recorded.ready();
    this.#checkOpen(question.userSignal);
    const found = await recorded.find(question, place);
    if (found.kind === 'recorded') {
      this.#spend.addReused();
      return found;
    }
    if (found.kind === 'call' && question.cascade?.hasNext === true && found.earlier.wasRejected) {
      return { kind: 'escalated' };
    }
    if (found.kind === 'awaited') return await this.#leave(found.parked);
    if (this.#parked !== undefined) return await this.#leave(this.#parked);
    const { ordinal } = place;
    const { attempt, earlier } = found;
    return await this.#whileOpening(this.#openFound(question, { ordinal, attempt, earlier }, isFirstTry));
  }

  async #openFound(
    question: CallQuestion,
    { ordinal, attempt, earlier }: UnansweredRequest,
    isFirstTry: boolean,
  ): Promise<OpenedCall> {
    const { deferring, maker } = this.#options;
    const tier = await deferring.pass(question, { ordinal, attempt, earlier }, maker);
    const asked = tier === undefined ? undefined : question.inTier?.(tier);
    const place = { ordinal, attempt, isFirstTry: isFirstTry || !earlier.wasMade };
    if (asked !== undefined) return await this.#openCall(asked, place, tier);
    const { userSignal } = question;
    const signal = userSignal === undefined ? maker.signal : AbortSignal.any([maker.signal, userSignal]);
    const share = await question.join?.({ owner: maker.owner, attempt, signal });
    try {
      return await this.#openCall(question, { ...place, share });
    } catch (error) {
      share?.leave();
      throw error;
    }
  }

  async #openCall(question: CallQuestion, place: CallPlace, tier?: string): Promise<OpenedCall> {
    const { deferring, maker } = this.#options;
    // It may have waited for others.
    if (question.join !== undefined) this.#checkOpen(question.userSignal);
    const { call: inFlight, asked, askedInstead, seed } = await deferring.open(question, place, maker);
    const call = this.#begin(inFlight, question.userSignal);
    await this.#refuseStopped(call);
    const { ordinal, attempt } = place;
    const headers = identifyingHeaders(asked, call.id, attempt, maker.owner.message);
    // Another model than the one that was meant does not know the tier.
    const asksTier = askedInstead === undefined ? tier : undefined;
    return { kind: 'call', call, headers, askedInstead, seed, tier: asksTier, ordinal };
  }

  /** Throws when the calls beside it have ended: what they bring is paid for, and is there when the handler runs again. */
  async #leave(found: Parked): Promise<never> {
    const parked = (this.#parked ??= found);
    while (this.#opening.size > 0 || this.#open.size > 0) {
      await Promise.allSettled([...this.#opening, ...[...this.#open].map((call) => call.ended)]);
    }
    throw parked;
  }

  async #whileOpening(work: Promise<OpenedCall>): Promise<OpenedCall> {
    this.#opening.add(work);
    try {
      return await work;
    } finally {
      this.#opening.delete(work);
    }
  }

  #begin(inFlight: CallInFlight, userSignal: AbortSignal | undefined): MeteredCall {
    const { inAir, maker } = this.#options;
    const call = inAir.begin(inFlight, {
      userSignal,
      onSettled: (end) => {
        this.#spend.add(end);
        maker.observer?.settled(inFlight.facts, end);
      },
      onEnd: (ended) => this.#open.delete(ended),
    });
    this.#open.add(call);
    return call;
  }

  /** A scope that was stopped while the reservation was written sends nothing: the call is free. */
  async #refuseStopped(call: MeteredCall): Promise<void> {
    const { signal } = this.#options.maker;
    if (signal.aborted) call.abort(signal.reason);
    if (this.#closing !== undefined) call.abort(closedError());
    if (!call.signal.aborted) return;
    const failure = { ...abortFailure(call.signal.reason), billing: 'free' as const };
    await call.settle(reportOfFailure(failure));
    throw call.errorOf(failure, call.signal.reason);
  }

  #checkOpen(userSignal: AbortSignal | undefined): void {
    if (this.#closing !== undefined) throw closedError();
    const stopped = [this.#options.maker.signal, userSignal].find((signal) => signal?.aborted);
    if (stopped === undefined) return;
    const { reason } = stopped as { reason: unknown };
    throw reason instanceof AppError
      ? reason
      : new AppError('MILLRACE_MODEL_ABORTED', 'The work was stopped before the request was made.', {
          cause: reason,
        });
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#pending.add(work);
    const forget = (): boolean => this.#pending.delete(work);
    work.then(forget, forget);
    return work;
  }

  readonly #onAbort = (): void => {
    this.#wasCut = this.#open.size > 0;
    for (const call of this.#open) call.abort(this.#options.maker.signal.reason);
  };

  async #close(): Promise<void> {
    this.#options.maker.signal.removeEventListener('abort', this.#onAbort);
    while (this.#pending.size > 0 || this.#open.size > 0) {
      for (const call of this.#open) call.abort(closedError());
      await Promise.allSettled([...this.#pending, ...[...this.#open].map((call) => call.ended)]);
    }
  }
}

function closedError(): AppError {
  return new AppError('MILLRACE_MODEL_ABORTED', 'The work that made this request has ended.');
}
