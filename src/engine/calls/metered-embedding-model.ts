import type { EmbeddingModelV4, EmbeddingModelV4CallOptions, EmbeddingModelV4Result } from '@ai-sdk/provider';
import { invariant } from '../../kernel/invariant.ts';
import { wrapEmbeddingModel } from 'ai';
import type { AppError } from '../../kernel/app-error.ts';
import type { ReuseRule } from './call-journal.ts';
import type { CallOpener, CallQuestion, Joining, OpenedCall } from './call-opener.ts';
import { reportOfFailure } from './call-report.ts';
import { faultOfEmbeddings, inAskedOrder } from './embedding-check.ts';
import { reportOfEmbeddings, reportOfFailedEmbeddings } from './embedding-report.ts';
import type { GivenAnswers } from './given-answers.ts';
import type { MeteredCall } from './metered-call.ts';
import type { MicroBatches } from './micro-batches.ts';
import type { MicroBatchSettings } from './micro-batch-settings.ts';
import { labelsOf } from './model-metrics.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import { decodeEmbeddingAnswer } from './recorded-answer.ts';
import { embeddingBounds, requestedTier } from '../providers/request-bounds.ts';
import { canonicalJson, embeddingDigest, requestFingerprint } from './request-digest.ts';
import { embeddingParameters } from './request-parameters.ts';
import type { PartAnswer } from './shared-embeddings.ts';
import type { EmbeddingShare } from './shared-request.ts';
import { estimateTokens } from '../providers/token-estimate.ts';

export interface MeteredEmbeddingModelOptions {
  readonly target: ModelTarget<EmbeddingModelV4>;
  /** As the user wrote it: "provider/model". */
  readonly reference: string;
  readonly step: string;
  readonly reuse: ReuseRule;
  /** How requests of several messages leave as one; undefined where they do not. */
  readonly microBatch: MicroBatchSettings | undefined;
  readonly microBatches: MicroBatches;
  readonly calls: CallOpener;
  readonly given: Pick<GivenAnswers, 'rejectAnswer'>;
}

/**
 * An embedding model whose every request is one call in the ledger: `embedMany` makes several, one a chunk of its
 * values. With `microBatch` calls of several messages leave as one request, of which each is a part. Vectors that are
 * reused equal those that came first, bit by bit. Its errors are AppErrors.
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
  const { target, reference, step, reuse, calls, microBatch } = options;
  let share: EmbeddingShare | undefined;
  const digest = embeddingDigest(reference, params);
  const question: CallQuestion = {
    target,
    // Vectors of two models do not belong into one space.
    fallback: undefined,
    operation: 'embeddings',
    step,
    reuse,
    digest,
    fingerprint: () => requestFingerprint(digest, params.headers),
    tier: requestedTier(params),
    bounds: () => embeddingBounds(params),
    parameters: () => embeddingParameters(params),
    derivesSeed: false,
    maxOutputTokens: undefined,
    inputText: () => params.values.join('\n'),
    userSignal: params.abortSignal,
    ...(microBatch === undefined
      ? {}
      : {
          join: async (joining: Joining) =>
            (share = await join(options, { params, joining, settings: microBatch })),
        }),
  };
  const opened = await calls.open(question);
  if (opened.kind !== 'call' || share === undefined) return await answerOf(options, params, opened);
  const answer = await askShared(opened.call, share);
  if (answer.kind === 'answered') {
    if (answer.fault !== undefined) throw answer.fault;
    return answer.result;
  }
  const { failure, error, calls: sharing } = answer;
  if (sharing > 1 && maybeForAnothersSake.has(failure.kind))
    return await answerOf(options, params, await calls.openAlone(question, opened.ordinal));
  throw opened.call.errorOf(failure, error);
}

/** Refusals for what a request holds, or for how much: of a shared one nobody knows which of its parts is to blame. */
const maybeForAnothersSake: ReadonlySet<string> = new Set([
  'bad_request',
  'content_policy',
  'context_too_long',
  'answer_too_large',
]);

/** Waits for others: of the same stage and step, for the same model with the same options, and of the same origin as far as is asked. */
async function join(
  { target, reference, step, microBatches }: MeteredEmbeddingModelOptions,
  {
    params,
    joining: { owner, attempt, signal },
    settings,
  }: {
    readonly params: EmbeddingModelV4CallOptions;
    readonly joining: Joining;
    readonly settings: MicroBatchSettings;
  },
): Promise<EmbeddingShare | undefined> {
  const { message, origin } = owner;
  const { among, ...sizes } = settings;
  const mostOfProvider = (await target.model.maxEmbeddingsPerCall) ?? sizes.maxInputs;
  const maxInputs = Math.min(sizes.maxInputs, mostOfProvider);
  const sameOrigin =
    among === 'all_teams' ? [] : among === 'team' ? [origin.team] : [origin.team, origin.customer];
  const { values: _values, abortSignal: _signal, ...request } = params;
  // A request that had failed before counts as a retry; the others do not.
  const key = canonicalJson([
    [reference, message?.pipeline, message?.stage, step, attempt > 1],
    sameOrigin,
    request,
    settings,
  ]);
  return await microBatches.join(
    { key, settings: { ...sizes, maxInputs } },
    {
      target,
      params,
      step,
      bounds: embeddingBounds(params),
      labels: labelsOf(target, message),
      attempt,
      signal,
    },
  );
}

/** Its part of the answer, settled. */
async function askShared(call: MeteredCall, share: EmbeddingShare): Promise<PartAnswer> {
  let answer: PartAnswer;
  try {
    answer = await call.race(share.ask(call));
  } catch (error) {
    throw await stopped(call, share, error);
  }
  await call.settle(answer.report, answer.appraisal);
  return answer;
}

/** The error of a call that was stopped while it waited. The request goes on for the others, whose answer settles this call, too. */
async function stopped(call: MeteredCall, share: EmbeddingShare, error: unknown): Promise<AppError> {
  const left = share.abandon();
  if (left.kind === 'under_way') return await call.fail(error);
  const failure = call.failureOf(error);
  if (left.kind === 'answered') await call.settle(left.answer.report, left.answer.appraisal);
  else await call.settle(reportOfFailure({ ...failure, billing: 'free' }));
  return call.errorOf(failure, error);
}

/** The answer that was recorded, or that a request of its own brings. */
async function answerOf(
  { target, step, given }: MeteredEmbeddingModelOptions,
  params: EmbeddingModelV4CallOptions,
  opened: OpenedCall,
): Promise<EmbeddingModelV4Result> {
  if (opened.kind === 'recorded') {
    const recorded = decodeEmbeddingAnswer(opened.answer);
    const recordedFault = faultOfEmbeddings(recorded.embeddings, params.values.length, step);
    if (recordedFault === undefined) return recorded;
    await given.rejectAnswer(opened.id, opened.reject);
    throw recordedFault;
  }
  invariant(opened.kind === 'call', 'no embedding model is part of a cascade');
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
    throw await call.fail(error, (failure) => reportOfFailedEmbeddings(target, failure));
  }
  const { answered, fault, report } = await call.understand(() => {
    const ordered = inAskedOrder(result.embeddings, result.response?.body);
    const whole = ordered === undefined ? result : { ...result, embeddings: [...ordered] };
    return {
      answered: whole,
      fault: faultOfEmbeddings(ordered ?? [], params.values.length, step),
      report: reportOfEmbeddings(target, whole, () =>
        estimateTokens(target.modelId, params.values.join('\n')),
      ),
    };
  });
  await call.settle({ ...report, ...(fault === undefined ? {} : { isInvalidOutput: true }) });
  if (fault !== undefined) throw fault;
  return answered;
}
