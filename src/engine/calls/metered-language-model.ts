import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider';
import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type AnswerRules, faultOfAnswer, textOfAnswer } from './answer-check.ts';
import { failedStream, streamOf } from './answer-streams.ts';
import type { ReuseRule } from './call-journal.ts';
import { tellAnswer } from './call-observer.ts';
import type { CallOpener, CallQuestion, FallbackModel, OpenedCall } from './call-opener.ts';
import { type CascadeRule, judgeInCascade, type JudgedAnswer } from './cascade-rule.ts';
import { type CallReport, reportOfFailure, providerRequestIdOf, type TokenCounter } from './call-report.ts';
import {
  classifyModelError,
  malformedAnswer,
  modelError,
  type ModelFailure,
} from '../providers/classify-model-error.ts';
import type { GivenAnswer, GivenAnswers } from './given-answers.ts';
import { meteredStream } from './metered-stream.ts';
import type { ModelDirectory } from './model-directory.ts';
import { contentText, promptText } from '../providers/prompt-text.ts';
import { ownReading } from '../providers/own-usage.ts';
import {
  type ProviderAnswer,
  renderRequest,
  resultOfProviderAnswer,
} from '../providers/provider-exchange.ts';
import type { ProviderKind } from '../providers/provider-config.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import {
  answerOfResult,
  decodeLanguageAnswer,
  encodeLanguageAnswer,
  type LanguageAnswer,
  providerAnswerOf,
  resultOfAnswer,
  streamPartsOfAnswer,
} from './recorded-answer.ts';
import { languageBounds, requestedTier } from '../providers/request-bounds.ts';
import { languageDigest, requestFingerprint } from './request-digest.ts';
import { acceptsSeed, languageParameters } from './request-parameters.ts';
import { estimateTokens } from '../providers/token-estimate.ts';
import { asRecord } from '../providers/token-usage.ts';
import { idInBody, rawUsageOfBody, tierOfMetadata, usageOf } from '../providers/usage-of-answer.ts';

export interface MeteredLanguageModelOptions {
  readonly target: ModelTarget<LanguageModelV4>;
  /** Who is asked while the circuit of the target is not closed. */
  readonly fallback: string | undefined;
  readonly models: Pick<ModelDirectory, 'languageModel' | 'limitsOf'>;
  /** As the user wrote it: "provider/model". */
  readonly reference: string;
  readonly step: string;
  readonly reuse: ReuseRule;
  readonly rules: AnswerRules;
  readonly derivesSeed: boolean;
  /** Its part in a cascade; undefined for a model by itself. */
  readonly cascade?: CascadeRule | undefined;
  readonly calls: CallOpener;
  readonly given: GivenAnswers;
  /** Whether the text of answers goes to whoever follows the run, too. */
  readonly isPublished: boolean;
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

  /** None where another vendor may have to answer: the SDK then fetches files itself and hands over their bytes. */
  get supportedUrls(): LanguageModelV4['supportedUrls'] {
    const { target, fallback, models } = this.#options;
    const isOneVendor = fallback === undefined || models.languageModel(fallback).kind === target.kind;
    return isOneVendor ? target.model.supportedUrls : {};
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const result = await this.generateUnlessEscalated(options);
    invariant(result !== undefined, 'only a model before the last of a cascade is asked for nothing');
    return result;
  }

  /** The same; undefined when the next model of the cascade is to be asked. */
  async generateUnlessEscalated(
    options: LanguageModelV4CallOptions,
  ): Promise<LanguageModelV4GenerateResult | undefined> {
    const opened = await this.#open(options);
    if (opened.kind === 'escalated') return undefined;
    if (opened.kind === 'recorded') {
      const recorded = await this.#takeRecorded(opened, options);
      return recorded === undefined ? undefined : resultOfAnswer(recorded);
    }
    const { call } = opened;
    const target = this.#targetOf(opened);
    let result: LanguageModelV4GenerateResult;
    try {
      result = await call.race(target.model.doGenerate(requestOptions(options, opened)));
    } catch (error) {
      throw await call.fail(error, (failure) => reportOfFailedAnswer(target, failure));
    }
    const { answer, judged, report } = await call.understand(() => {
      const whole = answerOfResult(result);
      const said = reportOfResult(target, options, result, whole);
      return { answer: whole, judged: this.#judge(whole), report: said };
    });
    const { fault, verdict } = judged;
    const { cascade } = this.#options;
    await call.settle({
      ...report,
      ...(fault === undefined ? {} : { isInvalidOutput: true }),
      ...(verdict === undefined || cascade === undefined ? {} : { cascade: { verdict, last: cascade.last } }),
    });
    if (fault !== undefined) throw fault;
    if (verdict === 'escalated') return undefined;
    this.#noteGiven(call.id, answer);
    tellAnswer(this.#observe(), answer.content);
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
    invariant(opened.kind !== 'escalated', 'models before the last of a cascade are not asked for streams');
    if (opened.kind === 'recorded') {
      const recorded = await this.#takeRecorded(opened, options);
      invariant(recorded !== undefined, 'models before the last of a cascade are not asked for streams');
      return { stream: streamOf(streamPartsOfAnswer(recorded)) };
    }
    const { call } = opened;
    const target = this.#targetOf(opened);
    const readsRaw = target.kind !== 'custom';
    let result: LanguageModelV4StreamResult;
    try {
      const request = requestOptions(options, opened);
      result = await call.race(
        target.model.doStream(readsRaw ? { ...request, includeRawChunks: true } : request),
      );
    } catch (error) {
      throw await call.fail(error, (failure) => reportOfFailedAnswer(target, failure));
    }
    const stream = await call.understand(() =>
      meteredStream({
        source: result.stream,
        call,
        target,
        passRaw: options.includeRawChunks === true || !readsRaw,
        headers: result.response?.headers,
        counterOf: (text) => tokenCounter(target, options, text),
        faultOf: (answer) => this.#faultOf(answer),
        consumer: {
          onGiven: (answer) => this.#noteGiven(call.id, answer),
          observer: this.#observe(),
        },
      }),
    );
    return { ...result, stream };
  }

  /**
   * The answer of an earlier run, if it still passes: the step's check may be stricter than it was then. What was decided about it in a
   * cascade stands. Undefined when the next model is to be asked.
   */
  async #takeRecorded(
    { id, answer: json, reject, verdict: decided }: OpenedCall & { kind: 'recorded' },
    options: LanguageModelV4CallOptions,
  ): Promise<LanguageAnswer | undefined> {
    const { cascade, given } = this.#options;
    if (decided === 'escalated') return undefined;
    const told = providerAnswerOf(json);
    const answer =
      told === undefined ? decodeLanguageAnswer(json) : await this.#understand({ id, reject }, told, options);
    const { fault, verdict } =
      decided === undefined ? this.#judge(answer) : { fault: undefined, verdict: undefined };
    if (fault !== undefined) {
      await given.rejectAnswer(id, reject);
      throw fault;
    }
    if (verdict !== undefined && cascade !== undefined) {
      const { last } = cascade;
      const { priceProvider } = this.#options.target;
      // Another message's call is decided about by that message.
      const stands =
        reject === undefined ? await given.decide(id, { verdict, last, priceProvider }) : verdict;
      if (stands === 'escalated') return undefined;
    }
    this.#noteGiven(id, answer, reject);
    tellAnswer(this.#observe(), answer.content);
    return answer;
  }

  /** What the answer to a request that was put off means. One that says nothing is of no use, and is asked for again. */
  async #understand(
    { id, reject }: { readonly id: Uuid; readonly reject: GivenAnswer['reject'] },
    told: ProviderAnswer,
    options: LanguageModelV4CallOptions,
  ): Promise<LanguageAnswer> {
    const { target, given } = this.#options;
    try {
      return answerOfResult(await resultOfProviderAnswer(target, wholeRequest(options), told));
    } catch (error) {
      await given.rejectAnswer(id, reject);
      throw modelError(classifyModelError(malformedAnswer(error), new Date(0)), {
        model: `${target.provider}/${target.modelId}`,
        cause: error,
      });
    }
  }

  #judge(answer: LanguageAnswer): JudgedAnswer {
    const { cascade, rules } = this.#options;
    const { accept } = cascade ?? {};
    if (cascade === undefined || accept === undefined) {
      return { fault: this.#faultOf(answer), verdict: undefined };
    }
    return judgeInCascade(answer, rules, { step: cascade.step, accept });
  }

  #faultOf(answer: LanguageAnswer): AppError | undefined {
    return faultOfAnswer(answer, this.#options.rules, this.#options.step);
  }

  #observe(): ReturnType<CallOpener['beginAnswer']> {
    const { isPublished, calls, step } = this.#options;
    return isPublished ? calls.beginAnswer(step) : undefined;
  }

  #noteGiven(callId: Uuid, answer: LanguageAnswer, reject?: GivenAnswer['reject']): void {
    const { given, step, cascade } = this.#options;
    given.add({ callId, step: cascade?.step ?? step, text: () => textOfAnswer(answer), reject });
  }

  #open(options: LanguageModelV4CallOptions): Promise<OpenedCall> {
    const { target, fallback, reference, step, reuse, calls, models, cascade } = this.#options;
    const boundsOf = (asked: ModelTarget<unknown>) => () =>
      languageBounds(asked, options, models.limitsOf(asked));
    const derivesSeed = (asked: ModelTarget<LanguageModelV4>): boolean =>
      this.#options.derivesSeed && options.seed === undefined && acceptsSeed(asked);
    const standIn = (other: string): FallbackModel => {
      const asked = models.languageModel(other);
      return {
        reference: other,
        target: asked,
        bounds: boundsOf(asked),
        // Another vendor does not know what a tier of this one is.
        tier: asked.kind === target.kind ? requestedTier(options) : 'default',
        derivesSeed: derivesSeed(asked),
        insteadOf: reference,
      };
    };
    const digest = languageDigest(reference, options);
    const question: CallQuestion = {
      target,
      fallback: fallback === undefined ? undefined : standIn(fallback),
      // The prompt was made for this vendor: another one may not be able to read its files.
      switchedTo: (other) => (kindOf(models, other) === target.kind ? standIn(other) : undefined),
      operation: 'chat',
      step,
      ...(cascade === undefined ? {} : { cascade: cascadeOf(cascade) }),
      reuse,
      digest,
      // A seed that is derived from the message makes its request unlike any other's.
      ...(derivesSeed(target) ? {} : { fingerprint: () => requestFingerprint(digest, options.headers) }),
      tier: requestedTier(options),
      bounds: boundsOf(target),
      parameters: (seed) => languageParameters(options, seed),
      derivesSeed: derivesSeed(target),
      maxOutputTokens: options.maxOutputTokens,
      inputText: () => promptText(options),
      userSignal: options.abortSignal,
      render: (seed) =>
        renderRequest(target, { ...wholeRequest(options), ...(seed === undefined ? {} : { seed }) }),
    };
    return calls.open({ ...question, inTier: (tier) => inTier(question, tier) });
  }

  #targetOf({ askedInstead }: OpenedCall & { readonly kind: 'call' }): ModelTarget<LanguageModelV4> {
    const { target, models } = this.#options;
    return askedInstead === undefined ? target : models.languageModel(askedInstead);
  }
}

function cascadeOf({ place, models, accept }: CascadeRule): NonNullable<CallQuestion['cascade']> {
  return { place: { place, models }, hasNext: accept !== undefined };
}

/** The kind of the provider; undefined where nobody has such a model: the work then waits, as it does without another model. */
function kindOf(models: Pick<ModelDirectory, 'languageModel'>, reference: string): ProviderKind | undefined {
  try {
    return models.languageModel(reference).kind;
  } catch (error) {
    if (error instanceof AppError && error.code === 'MILLRACE_MODEL_UNKNOWN') return undefined;
    throw error;
  }
}

function reportOfResult(
  target: ModelTarget<LanguageModelV4>,
  options: LanguageModelV4CallOptions,
  result: LanguageModelV4GenerateResult,
  answer: LanguageAnswer,
): CallReport {
  const body = rawUsageOfBody(result.response?.body);
  const raw = body.usage ?? asRecord(result.usage.raw);
  // A model that hides the body may still hand on the provider's own usage block.
  const block = rawUsageOfBody({ usage: raw });
  const own = ownReading(target, {
    usage: result.usage.raw,
    body: result.response?.body,
    headers: result.response?.headers,
    providerMetadata: result.providerMetadata,
  });
  return {
    failure: undefined,
    usage: own?.usage ?? usageOf(target, raw, result.usage, body.units),
    rawUsage: raw,
    answeredModel: result.response?.modelId ?? body.model,
    tier: own?.tier ?? body.tier ?? block.tier ?? tierOfMetadata(result.providerMetadata),
    geography: own?.geography ?? body.geography ?? block.geography,
    providerRequestId:
      providerRequestIdOf(result.response?.headers) ?? result.response?.id ?? idInBody(result.response?.body),
    headers: result.response?.headers,
    answer: () => encodeLanguageAnswer(answer),
    count: tokenCounter(target, options, () => contentText(result.content)),
  };
}

function reportOfFailedAnswer(target: ModelTarget<LanguageModelV4>, failure: ModelFailure): CallReport {
  return reportOfFailure(failure, usageOf(target, failure.usage, undefined));
}

function tokenCounter(
  { modelId }: ModelTarget<LanguageModelV4>,
  options: LanguageModelV4CallOptions,
  answerText: () => string,
): TokenCounter {
  return {
    countInput: () => estimateTokens(modelId, promptText(options)),
    countOutput: () => estimateTokens(modelId, answerText()),
  };
}

function requestOptions(
  options: LanguageModelV4CallOptions,
  { call, headers, seed, tier }: OpenedCall & { kind: 'call' },
): LanguageModelV4CallOptions {
  return {
    ...(tier === undefined ? options : withTier(options, tier)),
    abortSignal: call.signal,
    ...(headers === undefined ? {} : { headers: { ...options.headers, ...headers } }),
    ...(seed === undefined ? {} : { seed }),
  };
}

/** The request as one whose answer comes as a whole. */
function wholeRequest({
  abortSignal: _signal,
  includeRawChunks: _raw,
  ...options
}: LanguageModelV4CallOptions): LanguageModelV4CallOptions {
  return options;
}

/** OpenAI's word for a service tier is an option of the request; others have none that a request could change. */
function inTier(question: CallQuestion, tier: string): CallQuestion | undefined {
  return question.target.kind === 'openai' ? { ...question, tier } : undefined;
}

function withTier(options: LanguageModelV4CallOptions, tier: string): LanguageModelV4CallOptions {
  const { openai, ...others } = options.providerOptions ?? {};
  return { ...options, providerOptions: { ...others, openai: { ...openai, serviceTier: tier } } };
}
