import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider';
import type { AppError } from '../kernel/app-error.ts';
import type { Pricer } from '../pricing/price.ts';
import { type AnswerRules, faultOfAnswer, textOfAnswer } from './answer-check.ts';
import type { ReuseRule } from './call-journal.ts';
import type { CallOpener, OpenedCall } from './call-opener.ts';
import { type CallReport, reportOfFailure, requestIdOf, type TokenCounter } from './call-report.ts';
import type { ModelFailure } from './classify-model-error.ts';
import { meteredStream } from './metered-stream.ts';
import { contentText, promptText } from './prompt-text.ts';
import type { ModelTarget } from './provider-registry.ts';
import {
  answerOfResult,
  decodeLanguageAnswer,
  encodeLanguageAnswer,
  type LanguageAnswer,
  resultOfAnswer,
  streamPartsOfAnswer,
} from './recorded-answer.ts';
import { languageBounds, requestedTier } from './request-bounds.ts';
import { languageDigest } from './request-digest.ts';
import { acceptsSeed, languageParameters } from './request-parameters.ts';
import { estimateTokens } from './token-estimate.ts';
import { asRecord } from './token-usage.ts';
import { rawUsageOfBody, tierOfMetadata, usageOf } from './usage-of-answer.ts';

export interface MeteredLanguageModelOptions {
  readonly target: ModelTarget<LanguageModelV4>;
  /** As the user wrote it: "provider/model". */
  readonly reference: string;
  readonly step: string;
  readonly reuse: ReuseRule;
  readonly rules: AnswerRules;
  readonly derivesSeed: boolean;
  readonly calls: CallOpener;
  /** What the catalogue knows about the model's sizes. */
  readonly limits: ReturnType<Pricer['limits']>;
}

/**
 * A language model whose every request is one call in the ledger. Answers, also streamed ones, are durable before the
 * caller sees them whole. Its errors are AppErrors, which the AI SDK never tries again by itself.
 */
export class MeteredLanguageModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider: string;
  readonly modelId: string;
  readonly #options: MeteredLanguageModelOptions;

  constructor(options: MeteredLanguageModelOptions) {
    this.#options = options;
    this.provider = options.target.model.provider;
    this.modelId = options.target.model.modelId;
  }

  get supportedUrls(): LanguageModelV4['supportedUrls'] {
    return this.#options.target.model.supportedUrls;
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const opened = await this.#open(options);
    if (opened.kind === 'recorded') return resultOfAnswer(await this.#takeRecorded(opened));
    const { call } = opened;
    const { target } = this.#options;
    let result: LanguageModelV4GenerateResult;
    try {
      result = await call.race(target.model.doGenerate(requestOptions(options, opened)));
    } catch (error) {
      throw await call.fail(error, (failure) => this.#reportOfFailure(failure));
    }
    const answer = answerOfResult(result);
    const fault = this.#faultOf(answer);
    await call.settle(this.#reportOfResult(options, result, answer, fault !== undefined));
    if (fault !== undefined) throw fault;
    this.#noteGiven(call.id, answer);
    return result;
  }

  /**
   * Never rejects: what fails, fails the stream. The AI SDK swallows a rejection here (its text streams just end, and
   * its promises speak of a missing output), but hands on an error of the stream as it is.
   */
  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    try {
      return await this.#stream(options);
    } catch (error) {
      return { stream: failedStream(error) };
    }
  }

  async #stream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const opened = await this.#open(options);
    if (opened.kind === 'recorded') {
      return { stream: streamOf(streamPartsOfAnswer(await this.#takeRecorded(opened))) };
    }
    const { call } = opened;
    const { target } = this.#options;
    const readsRaw = target.kind !== 'custom';
    let result: LanguageModelV4StreamResult;
    try {
      const request = requestOptions(options, opened);
      result = await call.race(
        target.model.doStream(readsRaw ? { ...request, includeRawChunks: true } : request),
      );
    } catch (error) {
      throw await call.fail(error, (failure) => this.#reportOfFailure(failure));
    }
    const stream = meteredStream({
      source: result.stream,
      call,
      kind: target.kind,
      passRaw: options.includeRawChunks === true || !readsRaw,
      headers: result.response?.headers,
      counterOf: (text) => this.#counter(options, text),
      faultOf: (answer) => this.#faultOf(answer),
      onGiven: (answer) => this.#noteGiven(call.id, answer),
    });
    return { ...result, stream };
  }

  /** The answer of an earlier run, if it still passes: the step's check may be stricter than it was then. */
  async #takeRecorded({ id, answer: json }: OpenedCall & { kind: 'recorded' }): Promise<LanguageAnswer> {
    const answer = decodeLanguageAnswer(json);
    const fault = this.#faultOf(answer);
    if (fault !== undefined) {
      await this.#options.calls.rejectAnswer(id);
      throw fault;
    }
    this.#noteGiven(id, answer);
    return answer;
  }

  #faultOf(answer: LanguageAnswer): AppError | undefined {
    return faultOfAnswer(answer, this.#options.rules, this.#options.step);
  }

  #noteGiven(callId: string, answer: LanguageAnswer): void {
    const { calls, step } = this.#options;
    calls.noteGiven({ callId, step, text: () => textOfAnswer(answer) });
  }

  #open(options: LanguageModelV4CallOptions): Promise<OpenedCall> {
    const { target, reference, step, reuse, calls, limits, derivesSeed } = this.#options;
    return calls.open({
      target,
      operation: 'chat',
      step,
      reuse,
      digest: languageDigest(reference, options),
      tier: requestedTier(options),
      bounds: () => languageBounds(target, options, limits),
      parameters: (seed) => languageParameters(options, seed),
      derivesSeed: derivesSeed && options.seed === undefined && acceptsSeed(target),
      maxOutputTokens: options.maxOutputTokens,
      userSignal: options.abortSignal,
    });
  }

  #reportOfResult(
    options: LanguageModelV4CallOptions,
    result: LanguageModelV4GenerateResult,
    answer: LanguageAnswer,
    isDegenerate: boolean,
  ): CallReport {
    const { kind } = this.#options.target;
    const body = rawUsageOfBody(result.response?.body);
    const raw = body.usage ?? asRecord(result.usage.raw);
    return {
      failure: undefined,
      usage: usageOf(kind, raw, result.usage),
      rawUsage: raw,
      answeredModel: result.response?.modelId,
      tier: body.tier ?? tierOfMetadata(result.providerMetadata),
      providerRequestId: requestIdOf(result.response?.headers) ?? result.response?.id,
      headers: result.response?.headers,
      answer: encodeLanguageAnswer(answer),
      ...(isDegenerate ? { isDegenerate } : {}),
      count: this.#counter(options, () => contentText(result.content)),
    };
  }

  #reportOfFailure(failure: ModelFailure): CallReport {
    return reportOfFailure(failure, usageOf(this.#options.target.kind, failure.usage, undefined));
  }

  #counter(options: LanguageModelV4CallOptions, answerText: () => string): TokenCounter {
    const { modelId } = this.#options.target;
    return {
      countInput: () => estimateTokens(modelId, promptText(options)),
      countOutput: () => estimateTokens(modelId, answerText()),
    };
  }
}

function requestOptions(
  options: LanguageModelV4CallOptions,
  { call, headers, seed }: OpenedCall & { kind: 'call' },
): LanguageModelV4CallOptions {
  return {
    ...options,
    abortSignal: call.signal,
    ...(headers === undefined ? {} : { headers: { ...options.headers, ...headers } }),
    ...(seed === undefined ? {} : { seed }),
  };
}

function streamOf(parts: readonly LanguageModelV4StreamPart[]): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

function failedStream(error: unknown): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({ start: (controller) => controller.error(error) });
}
