import type { ReadableStreamReadResult } from 'node:stream/web';
import { InvalidResponseDataError, type LanguageModelV4StreamPart } from '@ai-sdk/provider';
import type { AppError } from '../../kernel/app-error.ts';
import type { AnswerObserver } from './call-observer.ts';
import { type CallReport, providerRequestIdOf, type TokenCounter } from './call-report.ts';
import {
  abortFailure,
  malformedAnswer,
  type ModelFailure,
  streamCutFailure,
} from '../providers/classify-model-error.ts';
import type { MeteredCall } from './metered-call.ts';
import { contentText } from '../providers/prompt-text.ts';
import { encodeLanguageAnswer, type LanguageAnswer } from './recorded-answer.ts';
import { ownReading } from '../providers/own-usage.ts';
import { type ReportedError, reportedError } from '../providers/reported-error.ts';
import type { ResponseHeaders } from '../providers/retry-after.ts';
import { StreamContent } from './stream-content.ts';
import { asRecord } from '../providers/token-usage.ts';
import {
  rawUsageOfBody,
  StreamUsage,
  tierOfMetadata,
  usageOf,
  type UsageSource,
} from '../providers/usage-of-answer.ts';

/*
 * A streamed answer, metered. Parts go through as they come; the `finish` part goes through only when the call is
 * settled with the answer. Every other end settles from what is known (the provider's usage where it came, counted
 * tokens where it did not) and then fails the stream with an AppError, never quietly: a handler must not take half an
 * answer for a whole one. Those ends are: an error part, a stream that ends without a finish or says it was
 * interrupted, a connection that breaks, an abort (which needs no reader to take effect), a consumer that leaves.
 */

type Part = LanguageModelV4StreamPart;
type FinishPart = Extract<Part, { type: 'finish' }>;

/** Who gets the answer. */
export interface StreamConsumer {
  /** The whole answer goes to the consumer. */
  readonly onGiven: (answer: LanguageAnswer) => void;
  /** Where its text goes as well, as it comes. */
  readonly observer?: AnswerObserver | undefined;
}

export interface MeteredStreamOptions {
  readonly source: ReadableStream<Part>;
  readonly call: MeteredCall;
  readonly target: UsageSource;
  /** Whether the consumer asked for raw chunks, too. */
  readonly passRaw: boolean;
  readonly headers: ResponseHeaders | undefined;
  /** What is wrong with the whole answer, if anything is. */
  readonly faultOf: (answer: LanguageAnswer) => AppError | undefined;
  readonly consumer: StreamConsumer;
  /** Counts the request, and the given text of the answer. */
  readonly counterOf: (answerText: () => string) => TokenCounter;
}

/** After an error part the usage may still follow: how long to wait for the end of the stream. */
const drainMs = 2000;

/** The source's stream with its call settled at its end. */
export function meteredStream(options: MeteredStreamOptions): ReadableStream<Part> {
  const metered = new MeteredStream(options);
  return new ReadableStream<Part>(
    {
      start: (controller) => metered.start(controller),
      pull: (controller) => metered.pull(controller),
      cancel: (reason) => metered.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

class MeteredStream {
  readonly #options: MeteredStreamOptions;
  readonly #reader: ReadableStreamDefaultReader<Part>;
  readonly #content = new StreamContent();
  readonly #usage = new StreamUsage();
  #finish: FinishPart | undefined;
  /** The first error that the provider reported, in its own words: the SDK hands on less of them. */
  #told: ReportedError | undefined;
  #hasContent = false;
  #hasEnded = false;

  constructor(options: MeteredStreamOptions) {
    this.#options = options;
    this.#reader = options.source.getReader();
  }

  start(controller: ReadableStreamDefaultController<Part>): void {
    const { signal } = this.#options.call;
    const onAbort = (): void => {
      // Rejections reach the consumer through the controller.
      void this.#fail(controller, abortFailure(signal.reason), signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  }

  async pull(controller: ReadableStreamDefaultController<Part>): Promise<void> {
    while (!this.#hasEnded) {
      let next: ReadableStreamReadResult<Part>;
      try {
        next = await this.#reader.read();
      } catch (error) {
        await this.#fail(controller, this.#options.call.failureOf(error), error);
        return;
      }
      if (this.#hasEnded) return;
      if (next.done) {
        await this.#end(controller);
        return;
      }
      try {
        if (await this.#take(controller, next.value)) return;
      } catch (error) {
        const malformed = malformedAnswer(error);
        await this.#fail(controller, this.#options.call.failureOf(malformed), malformed);
        return;
      }
    }
  }

  /** The consumer leaves: what came so far is settled, and the request is ended. */
  async cancel(reason: unknown): Promise<void> {
    if (this.#hasEnded) return;
    this.#endWith();
    const { call } = this.#options;
    const understood = call.understand(() => this.#report({ ...abortFailure(reason), kind: 'aborted' }));
    call.abort(reason);
    void this.#reader.cancel(reason).catch(() => undefined);
    await call.settle(await understood);
  }

  /** Takes one part. True when something went on to the consumer, or the stream is at its end. */
  async #take(controller: ReadableStreamDefaultController<Part>, part: Part): Promise<boolean> {
    const { call, passRaw } = this.#options;
    if (part.type === 'raw') {
      this.#usage.read(part.rawValue);
      this.#told ??= reportedError(part.rawValue);
      if (passRaw) controller.enqueue(part);
      return passRaw;
    }
    if (part.type === 'error') {
      if (this.#isWholeWithoutReason && isMissingReason(part.error)) return false;
      await this.#failAfterDrain(controller, part.error);
      return true;
    }
    if (part.type === 'finish') {
      await this.#takeFinish(controller, part);
      return true;
    }
    if (this.#content.add(part)) {
      this.#hasContent = true;
      call.markFirstChunk();
    }
    controller.enqueue(part);
    const { observer } = this.#options.consumer;
    if (part.type === 'text-delta') observer?.text('text', part.delta);
    else if (part.type === 'reasoning-delta') observer?.text('reasoning', part.delta);
    return true;
  }

  #endWith(): void {
    this.#hasEnded = true;
    this.#options.consumer.observer?.end();
  }

  /** What the provider's own words say; undefined when it reported no error. */
  #toldFailure(): ModelFailure | undefined {
    if (this.#told === undefined) return undefined;
    const { call, headers } = this.#options;
    return call.failureInStream(this.#told, {
      headers,
      usage: this.#usage.raw.usage,
      hasContent: this.#hasContent,
    });
  }

  /** The closing usage came, so that the answer is whole, whether or not the provider says why it ended. */
  get #isWholeWithoutReason(): boolean {
    return this.#usage.isFinal && this.#options.target.kind !== 'anthropic';
  }

  async #takeFinish(controller: ReadableStreamDefaultController<Part>, told: FinishPart): Promise<void> {
    const { finishReason } = told;
    const isUnknown = this.#isWholeWithoutReason && finishReason.raw === undefined;
    const part: FinishPart =
      isUnknown && (finishReason.unified === 'interrupted' || finishReason.unified === 'error')
        ? { ...told, finishReason: { unified: 'other', raw: undefined } }
        : told;
    this.#finish = part;
    const { unified } = part.finishReason;
    if (unified === 'interrupted' || unified === 'error') {
      const message =
        unified === 'error' ? 'the provider ended the stream with an error' : 'the stream broke off';
      await this.#fail(controller, this.#toldFailure() ?? streamCutFailure(message), undefined);
      return;
    }
    const { call, faultOf, consumer } = this.#options;
    const answer = this.#answerOf(part);
    // A second finish (a turn of several messages) finds the call settled and passes.
    try {
      const { fault, report } = await call.understand(() => {
        const found = faultOf(answer);
        return { fault: found, report: this.#report(undefined, answer, found !== undefined) };
      });
      await call.settle(report);
      if (fault !== undefined) throw fault;
    } catch (error) {
      this.#endWith();
      void this.#reader.cancel().catch(() => undefined);
      controller.error(error);
      return;
    }
    consumer.onGiven(answer);
    if (!this.#hasEnded) controller.enqueue(part);
  }

  async #end(controller: ReadableStreamDefaultController<Part>): Promise<void> {
    if (this.#finish === undefined) {
      await this.#fail(
        controller,
        this.#toldFailure() ?? streamCutFailure('the stream ended before the answer was complete'),
        undefined,
      );
      return;
    }
    this.#endWith();
    controller.close();
  }

  /** The provider says that it failed; its usage may still come. */
  async #failAfterDrain(controller: ReadableStreamDefaultController<Part>, error: unknown): Promise<void> {
    const failure = this.#toldFailure() ?? this.#options.call.failureOf(error);
    const timer = this.#options.call.startTimer(drainMs, () => {
      void this.#reader.cancel().catch(() => undefined);
    });
    try {
      for (;;) {
        const next = await this.#reader.read();
        if (next.done) break;
        if (next.value.type === 'raw') this.#usage.read(next.value.rawValue);
        else if (next.value.type === 'finish') this.#finish = next.value;
        else this.#content.add(next.value);
      }
    } catch {
      // The first error is the one that counts.
    } finally {
      timer.close();
    }
    await this.#fail(controller, failure, error);
  }

  async #fail(
    controller: ReadableStreamDefaultController<Part>,
    failure: ModelFailure,
    cause: unknown,
  ): Promise<void> {
    if (this.#hasEnded) return;
    this.#endWith();
    const { call } = this.#options;
    void this.#reader.cancel().catch(() => undefined);
    try {
      await call.settle(await call.understand(() => this.#report(failure)));
      controller.error(call.errorOf(failure, cause));
    } catch (error) {
      controller.error(error);
    }
  }

  #report(failure: ModelFailure | undefined, answer?: LanguageAnswer, isInvalidOutput = false): CallReport {
    const { target, headers, counterOf } = this.#options;
    const raw = this.#usage.raw;
    const block = raw.usage ?? asRecord(this.#finish?.usage.raw);
    const told = rawUsageOfBody({ usage: block });
    const own =
      this.#finish === undefined
        ? undefined
        : ownReading(target, {
            usage: this.#finish.usage.raw,
            body: undefined,
            headers,
            providerMetadata: this.#finish.providerMetadata,
          });
    const reported = own?.usage ?? usageOf(target, block, this.#finish?.usage, raw.units);
    const usage = { ...reported, faults: [...reported.faults, ...this.#usage.faults] };
    const { response } = this.#content;
    const isRefused = failure !== undefined && this.#told !== undefined && !this.#hasContent;
    // What a stream says before its end about the output is not the last word.
    const isFinal = failure === undefined || target.kind === 'custom' || this.#usage.isFinal;
    return {
      failure,
      usage: isFinal ? usage : { ...usage, output: undefined },
      rawUsage: block,
      answeredModel: response.modelId ?? raw.model,
      tier: own?.tier ?? raw.tier ?? told.tier ?? tierOfMetadata(this.#finish?.providerMetadata),
      geography: own?.geography ?? raw.geography ?? told.geography,
      providerRequestId: providerRequestIdOf(headers) ?? response.id,
      headers,
      answer: answer === undefined ? undefined : () => encodeLanguageAnswer(answer),
      ...(isInvalidOutput ? { isInvalidOutput } : {}),
      // An error instead of an answer leaves nothing to count.
      count: isRefused
        ? undefined
        : counterOf(() => `${contentText(this.#content.content)}${this.#content.unfinishedText}`),
    };
  }

  #answerOf({ finishReason, usage, providerMetadata }: FinishPart): LanguageAnswer {
    return {
      content: this.#content.content,
      finishReason,
      usage,
      warnings: this.#content.warnings,
      response: this.#content.response,
      ...(providerMetadata === undefined ? {} : { providerMetadata }),
    };
  }
}

/** How the SDK says that a stream had no finish reason. */
function isMissingReason(error: unknown): boolean {
  return InvalidResponseDataError.isInstance(error) && /without a finish reason/.test(error.message);
}
