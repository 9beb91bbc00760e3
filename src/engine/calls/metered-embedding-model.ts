import type { EmbeddingModelV4, EmbeddingModelV4CallOptions, EmbeddingModelV4Result } from '@ai-sdk/provider';
import { wrapEmbeddingModel } from 'ai';
import type { ReuseRule } from './call-journal.ts';
import type { CallOpener } from './call-opener.ts';
import { type CallReport, reportOfFailure, providerRequestIdOf } from './call-report.ts';
import type { ModelFailure } from '../providers/classify-model-error.ts';
import { faultOfEmbeddings, inAskedOrder } from './embedding-check.ts';
import type { GivenAnswers } from './given-answers.ts';
import { ownReading } from '../providers/own-usage.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import { decodeEmbeddingAnswer, encodeEmbeddingAnswer } from './recorded-answer.ts';
import { embeddingBounds, requestedTier } from '../providers/request-bounds.ts';
import { embeddingDigest } from './request-digest.ts';
import { embeddingParameters } from './request-parameters.ts';
import { estimateTokens } from '../providers/token-estimate.ts';
import { type ReportedUsage, splitTotal } from '../providers/token-usage.ts';
import { rawUsageOfBody, usageOf } from '../providers/usage-of-answer.ts';

export interface MeteredEmbeddingModelOptions {
  readonly target: ModelTarget<EmbeddingModelV4>;
  /** As the user wrote it: "provider/model". */
  readonly reference: string;
  readonly step: string;
  readonly reuse: ReuseRule;
  readonly calls: CallOpener;
  readonly given: Pick<GivenAnswers, 'invalidateAnswer'>;
}

/**
 * An embedding model whose every request is one call in the ledger: `embedMany` makes several, one a chunk of its
 * values. Vectors that are reused equal those that came first, bit by bit. Its errors are AppErrors.
 */
export function meteredEmbeddingModel(options: MeteredEmbeddingModelOptions): EmbeddingModelV4 {
  // The SDK's own wrapper carries over what a model says about the sizes of chunks.
  return wrapEmbeddingModel({
    model: options.target.model,
    middleware: { specificationVersion: 'v4', wrapEmbed: ({ params }) => embed(options, params) },
  });
}

async function embed(
  options: MeteredEmbeddingModelOptions,
  params: EmbeddingModelV4CallOptions,
): Promise<EmbeddingModelV4Result> {
  const { target, reference, step, reuse, calls } = options;
  const opened = await calls.open({
    target,
    // Vectors of two models do not belong into one space.
    fallback: undefined,
    operation: 'embeddings',
    step,
    reuse,
    digest: embeddingDigest(reference, params),
    tier: requestedTier(params),
    bounds: () => embeddingBounds(params),
    parameters: () => embeddingParameters(params),
    derivesSeed: false,
    maxOutputTokens: undefined,
    inputText: () => params.values.join('\n'),
    userSignal: params.abortSignal,
  });
  if (opened.kind === 'recorded') {
    const recorded = decodeEmbeddingAnswer(opened.answer);
    const recordedFault = faultOfEmbeddings(recorded.embeddings, params.values.length, step);
    if (recordedFault === undefined) return recorded;
    await options.given.invalidateAnswer(opened.id);
    throw recordedFault;
  }
  const { call, headers } = opened;
  let result: EmbeddingModelV4Result;
  try {
    result = await call.race(
      target.model.doEmbed({
        ...params,
        abortSignal: call.signal,
        headers: { ...params.headers, ...headers },
      }),
    );
  } catch (error) {
    throw await call.fail(error, (failure) => reportOfFailedEmbedding(target, failure));
  }
  const { answered, fault, report } = await call.understand(() => {
    const ordered = inAskedOrder(result.embeddings, result.response?.body);
    const whole = ordered === undefined ? result : { ...result, embeddings: [...ordered] };
    return {
      answered: whole,
      fault: faultOfEmbeddings(ordered ?? [], params.values.length, step),
      report: reportOfResult(target, params, whole),
    };
  });
  await call.settle({ ...report, ...(fault === undefined ? {} : { isInvalidOutput: true }) });
  if (fault !== undefined) throw fault;
  return answered;
}

function reportOfResult(
  target: ModelTarget<EmbeddingModelV4>,
  { values }: EmbeddingModelV4CallOptions,
  { response, usage, embeddings, warnings, providerMetadata }: EmbeddingModelV4Result,
): CallReport {
  const raw = rawUsageOfBody(response?.body);
  const own = ownReading(target, {
    usage: raw.usage ?? usage,
    body: response?.body,
    headers: response?.headers,
    providerMetadata,
  });
  return {
    failure: undefined,
    usage:
      own !== undefined
        ? inputOnly(own.usage)
        : raw.usage === undefined
          ? usageOfTokens(usage?.tokens)
          : inputOnly(usageOf(target, raw.usage, undefined)),
    rawUsage: raw.usage ?? usage,
    answeredModel: raw.model,
    tier: own?.tier ?? raw.tier,
    geography: own?.geography ?? raw.geography,
    providerRequestId: providerRequestIdOf(response?.headers),
    headers: response?.headers,
    answer: () =>
      encodeEmbeddingAnswer({
        embeddings,
        warnings,
        ...(usage === undefined ? {} : { usage }),
        ...(providerMetadata === undefined ? {} : { providerMetadata }),
      }),
    count: {
      countInput: () => estimateTokens(target.modelId, values.join('\n')),
      countOutput: () => Promise.resolve(0),
    },
  };
}

function reportOfFailedEmbedding(target: ModelTarget<EmbeddingModelV4>, failure: ModelFailure): CallReport {
  const usage = usageOf(target, failure.usage, undefined);
  return reportOfFailure(failure, failure.usage === undefined ? usage : inputOnly(usage));
}

function usageOfTokens(tokens: number | undefined): ReportedUsage {
  const faults: string[] = [];
  // The SDK's fields show 0 for an answer that did not say.
  const total = tokens === 0 ? undefined : tokens;
  return { input: splitTotal('input', total, {}, 'uncached_input', faults), output: {}, faults };
}

/** Vectors are no tokens: there is no output to report. */
function inputOnly(usage: ReportedUsage): ReportedUsage {
  return { ...usage, output: {} };
}
