import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { RecordedCall } from '../ledger/call-ledger.ts';
import type { Origin } from '../../messages/origin.ts';
import { abortFailure } from '../providers/classify-model-error.ts';
import type { CallInFlight } from './call-in-flight.ts';
import type { CallOpener, CallQuestion, OpenedCall } from './call-opener.ts';
import type { CallOpening } from './call-opening.ts';
import type { CallMaker, OwningMessage } from './call-owner.ts';
import { reportOfFailure } from './call-report.ts';
import type { CallSettler } from './call-settler.ts';
import { GivenAnswers, type RejectionServices } from './given-answers.ts';
import { identifyingHeaders } from './identifying-headers.ts';
import { MeteredCall } from './metered-call.ts';
import { meteredEmbeddingModel } from './metered-embedding-model.ts';
import { MeteredLanguageModel } from './metered-language-model.ts';
import type { ModelDirectory } from './model-directory.ts';
import { type ModelUse, stepOf } from './model-use.ts';
import { RecordedAnswers, type RecordedAnswersServices } from './recorded-answers.ts';
import { type ScopeSpend, SpendCounter } from './scope-spend.ts';

/*
 * The calls of one run of a handler (or of some work outside a stage): what they are made for, what is recorded from
 * earlier runs, what is in the air. The end of the lease aborts them all; closing the scope aborts what its work left
 * behind and resolves when the last of them is settled.
 */

/** What the scopes of a process share. */
export interface CallServices {
  readonly models: ModelDirectory;
  readonly opening: CallOpening;
  readonly settler: CallSettler;
  readonly recorded: RecordedAnswersServices & RejectionServices;
  /** Every call of this process that is in the air. */
  readonly inAir: Set<MeteredCall>;
  readonly clock: Clock;
}

export interface ScopeOptions {
  /** Who caused the calls. */
  readonly origin: Origin;
  /** The message that they are made for; absent outside a stage. */
  readonly message?: OwningMessage;
  /** Aborts every request of the scope: the end of the lease. */
  readonly signal: AbortSignal;
  /** The calls that were made for the message before, when they are known already. */
  readonly journal?: readonly RecordedCall[];
}

export class CallScope implements CallOpener {
  readonly #services: CallServices;
  readonly #maker: CallMaker;
  /** What the handler was given so far, and how it is rejected. */
  readonly given: GivenAnswers;
  readonly #recorded: RecordedAnswers;
  readonly #spend = new SpendCounter();
  readonly #open = new Set<MeteredCall>();
  /** Everything that close has to wait for: calls being opened, and calls in the air. */
  readonly #pending = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;
  #wasCut = false;

  constructor(services: CallServices, { origin, message, signal, journal }: ScopeOptions) {
    this.#services = services;
    const idRoot = message === undefined ? newId(services.clock.now()) : `${message.id}/${message.fence}`;
    this.#maker = { owner: { origin, message }, idRoot, signal };
    this.given = new GivenAnswers(services.recorded, this.#maker.owner);
    this.#recorded = new RecordedAnswers(services.recorded, message, journal);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The language model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  languageModel(reference: string, use: ModelUse = {}): LanguageModelV4 {
    const { models } = this.#services;
    return new MeteredLanguageModel({
      target: models.languageModel(reference),
      fallback: models.fallbackOf(reference, use.fallback),
      reference,
      step: stepOf(use),
      reuse: use.reuse ?? 'same_question',
      rules: use.rules ?? {},
      derivesSeed: use.seed === 'derived',
      calls: this,
      given: this.given,
      limitsOf: (target) => models.limitsOf(target),
    });
  }

  /** The embedding model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  embeddingModel(reference: string, use: ModelUse = {}): EmbeddingModelV4 {
    return meteredEmbeddingModel({
      target: this.#services.models.embeddingModel(reference),
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
    const ordinal = this.#recorded.takeOrdinal(question.step);
    return this.#track(this.#openAt(question, ordinal));
  }

  async #openAt(question: CallQuestion, ordinal: number): Promise<OpenedCall> {
    await this.#recorded.ready();
    this.#checkOpen(question.userSignal);
    const found = await this.#recorded.find(question, ordinal);
    if (found.kind === 'recorded') {
      this.#spend.addReused();
      return found;
    }
    const { attempt } = found;
    const { opening } = this.#services;
    const { call: inFlight, asked, seed } = await opening.open(question, { ordinal, attempt }, this.#maker);
    const call = this.#begin(inFlight, question.userSignal);
    await this.#refuseStopped(call);
    const headers = identifyingHeaders(asked, call.id, attempt, this.#maker.owner.message);
    return { kind: 'call', call, headers, isFallback: asked !== question, seed };
  }

  #begin(inFlight: CallInFlight, userSignal: AbortSignal | undefined): MeteredCall {
    const { settler, clock, inAir } = this.#services;
    const call = new MeteredCall({
      call: inFlight,
      settler,
      clock,
      userSignal,
      onSettled: (end) => this.#spend.add(end),
      onEnd: () => {
        this.#open.delete(call);
        inAir.delete(call);
      },
    });
    this.#open.add(call);
    inAir.add(call);
    return call;
  }

  /** A scope that was stopped while the reservation was written sends nothing: the call is free. */
  async #refuseStopped(call: MeteredCall): Promise<void> {
    const { signal } = this.#maker;
    if (signal.aborted) call.abort(signal.reason);
    if (this.#closing !== undefined) call.abort(closedError());
    if (!call.signal.aborted) return;
    const failure = { ...abortFailure(call.signal.reason), billing: 'free' as const };
    await call.settle(reportOfFailure(failure));
    throw call.errorOf(failure, call.signal.reason);
  }

  #checkOpen(userSignal: AbortSignal | undefined): void {
    if (this.#closing !== undefined) throw closedError();
    const stopped = [this.#maker.signal, userSignal].find((signal) => signal?.aborted);
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
    for (const call of this.#open) call.abort(this.#maker.signal.reason);
  };

  async #close(): Promise<void> {
    this.#maker.signal.removeEventListener('abort', this.#onAbort);
    while (this.#pending.size > 0 || this.#open.size > 0) {
      for (const call of this.#open) call.abort(closedError());
      await Promise.allSettled([...this.#pending, ...[...this.#open].map((call) => call.ended)]);
    }
  }
}

function closedError(): AppError {
  return new AppError('MILLRACE_MODEL_ABORTED', 'The work that made this request has ended.');
}
