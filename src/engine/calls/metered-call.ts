import type { AppError } from '../../kernel/app-error.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Appraisal } from './appraisal.ts';
import type { CallInFlight } from './call-in-flight.ts';
import { type CallReport, reportOfFailure } from './call-report.ts';
import type { CallSettler } from './call-settler.ts';
import type { CallTimes } from './settle-call.ts';
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
import type { ModelTarget } from '../providers/provider-registry.ts';
import { raceAbort } from './race-abort.ts';
import type { ReportedError } from '../providers/reported-error.ts';
import type { SettledCall } from '../ledger/settlement.ts';
import type { AttributedCall } from '../ledger/attributed-call.ts';

/*
 * One request that is under way, from its reservation to its one settlement.
 *
 *   reserved ─► settle(report) ─► settled, and only then does anybody see the answer
 *                    └─ the ledger had given it up meanwhile ─► settled late, with a correction
 *
 * Whoever comes first (the answer, an error, an abort, a consumer that left) settles; all others get the same promise.
 * A ledger that cannot be reached is asked again for some seconds, and one that refuses what the settlement holds gets it
 * without what is odd (see SettlementWriter). If that is in vain the row stays reserved: the
 * sweep for abandoned calls then keeps it as unsettled with its upper bound, and the handler gets the ledger's error.
 */

export interface MeteredCallOptions {
  readonly call: CallInFlight;
  readonly settler: CallSettler;
  readonly clock: Clock;
  readonly userSignal: AbortSignal | undefined;
  /** It stands in the ledger. */
  readonly onSettled: (end: SettledCall) => void;
  /** Nothing more comes of it: it is settled, or could not be. */
  readonly onEnd: (call: MeteredCall) => void;
}

export class MeteredCall {
  readonly #options: MeteredCallOptions;
  readonly #controller = new AbortController();
  readonly #startedMs: number;
  readonly #timer: Timer;
  #firstChunkMs: number | undefined;
  #settling: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: MeteredCallOptions) {
    this.#options = options;
    const { clock, userSignal } = options;
    const { target } = options.call;
    this.#startedMs = clock.monotonicMs();
    this.#timer = clock.startTimer(target.timeoutMs, () => this.abort(timeoutReason(target)));
    userSignal?.addEventListener('abort', this.#onUserAbort, { once: true });
    if (userSignal?.aborted) this.#onUserAbort();
  }

  get id(): string {
    return this.#options.call.facts.id;
  }

  /** What is asked of whom, and for whom. */
  get facts(): AttributedCall {
    return this.#options.call.facts;
  }

  /** Aborted by the user's signal, the end of the lease, the provider's time-out, or the end of the scope. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves when the call is settled, or could not be. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** A timer of its clock. */
  startTimer(delayMs: number, act: () => void): Timer {
    return this.#options.clock.startTimer(delayMs, act);
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** The first part of a streamed answer has come. */
  markFirstChunk(): void {
    this.#firstChunkMs ??= this.#options.clock.monotonicMs() - this.#startedMs;
  }

  /** Waits for the model, or for the abort when the model does not heed it. */
  async race<Result>(work: PromiseLike<Result>): Promise<Result> {
    return await raceAbort(work, this.signal);
  }

  /** Understands what the model threw: an abort of this call explains everything but a refusal that came before it. */
  failureOf(error: unknown): ModelFailure {
    return this.#unlessAborted(classifyModelError(error, this.#options.clock.now()));
  }

  /** Understands an error that the provider reported within a stream. */
  failureInStream(told: ReportedError, stream: FailedStream): ModelFailure {
    return this.#unlessAborted(classifyStreamedError(told, stream, this.#options.clock.now()));
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
    const { call, settler } = this.#options;
    const parked = call.pass?.parkedBy?.(failure.kind);
    if (parked !== undefined) return parked;
    const { target } = call;
    return modelError(settler.granted(failure), {
      model: `${target.provider}/${target.modelId}`,
      cause: this.signal.aborted ? this.signal.reason : cause,
    });
  }

  /**
   * Makes what came back durable: usage, price, answer and usage record. The first report counts; resolves when the
   * ledger has it. `appraisal`: its part of what a shared request used and cost.
   */
  settle(report: CallReport, appraisal?: Appraisal): Promise<void> {
    this.#settling ??= this.#settle(report, appraisal).finally(() => this.#release());
    return this.#settling;
  }

  /** What became known after the call had been given up here: it takes the place of the upper bound. Never fails. */
  async settleLate(report: CallReport, appraisal: Appraisal): Promise<void> {
    await this.ended;
    await this.#options.settler.settleLate(this.#options.call, report, appraisal, this.#times());
  }

  #unlessAborted(failure: ModelFailure): ModelFailure {
    return this.signal.aborted && !isRefusal(failure) ? abortFailure(this.signal.reason) : failure;
  }

  readonly #onUserAbort = (): void => this.abort(this.#options.userSignal?.reason);

  #release(): void {
    this.#timer.close();
    this.#options.userSignal?.removeEventListener('abort', this.#onUserAbort);
    this.#options.onEnd(this);
    this.#ended.resolve();
  }

  async #settle(report: CallReport, appraisal: Appraisal | undefined): Promise<void> {
    const { call, settler, onSettled } = this.#options;
    onSettled(await settler.settle(call, report, this.#times(), appraisal));
  }

  #times(): CallTimes {
    const durationMs = this.#options.clock.monotonicMs() - this.#startedMs;
    return { durationMs, firstChunkMs: this.#firstChunkMs };
  }
}

function timeoutReason({ provider, modelId, timeoutMs }: ModelTarget<unknown>): DOMException {
  return new DOMException(`${provider}/${modelId} did not answer within ${timeoutMs} ms`, 'TimeoutError');
}
