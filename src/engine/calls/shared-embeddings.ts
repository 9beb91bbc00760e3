import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EmbeddingModelV4, EmbeddingModelV4CallOptions, EmbeddingModelV4Result } from '@ai-sdk/provider';
import type { Clock } from '../../kernel/clock.ts';
import { sumUsd, type Usd } from '../../kernel/money.ts';
import type { AttributedCall } from '../ledger/attributed-call.ts';
import type { InvalidOutput } from '../invalid-output.ts';
import { classifyModelError, malformedAnswer, type ModelFailure } from '../providers/classify-model-error.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import { embeddingBounds } from '../providers/request-bounds.ts';
import { estimateTokens } from '../providers/token-estimate.ts';
import { type Appraisal, splitAppraisal } from './appraisal.ts';
import type { CallReport } from './call-report.ts';
import type { CallSettler } from './call-settler.ts';
import { faultOfEmbeddings, inAskedOrder } from './embedding-check.ts';
import { encodedAnswer, reportOfEmbeddings, reportOfFailedEmbeddings } from './embedding-report.ts';
import type { CallLabels, ModelMetrics } from './model-metrics.ts';
import { raceAbort } from './race-abort.ts';

/*
 * One request to the provider for several calls: its one answer, appraised as a whole and taken apart. Equal texts are sent once, and
 * those who asked for one share what it costs.
 */

/** A call's part of what is asked. */
export interface EmbeddingPart {
  readonly params: EmbeddingModelV4CallOptions;
  readonly step: string;
  readonly facts: AttributedCall;
}

/** What came of the request for one of its calls: what is to be settled, and what its handler gets. */
export type PartAnswer = {
  readonly report: CallReport;
  readonly appraisal: Appraisal;
  /** How many calls shared the request. */
  readonly calls: number;
} & (
  | {
      readonly kind: 'answered';
      readonly result: EmbeddingModelV4Result;
      readonly fault: InvalidOutput | undefined;
    }
  | { readonly kind: 'failed'; readonly failure: ModelFailure; readonly error: unknown }
);

export interface SharedEmbeddingsServices {
  readonly settler: Pick<CallSettler, 'appraise'>;
  readonly metrics: ModelMetrics;
  readonly clock: Clock;
}

export interface SharedEmbeddingsRequest {
  readonly id: string;
  readonly target: ModelTarget<EmbeddingModelV4>;
  readonly labels: CallLabels;
  readonly attempt: number;
  readonly signal: AbortSignal;
}

type Asked =
  | {
      readonly kind: 'answered';
      readonly result: EmbeddingModelV4Result;
      readonly report: CallReport;
      readonly vectors: readonly PartVectors[];
    }
  | {
      readonly kind: 'failed';
      readonly failure: ModelFailure;
      readonly error: unknown;
      readonly report: CallReport;
    };

interface PartVectors {
  readonly embeddings: EmbeddingModelV4Result['embeddings'];
  readonly fault: InvalidOutput | undefined;
}

/** How many texts are counted in one turn of the event loop. */
const countedATurn = 32;

/** Asks for all parts at once. Answers one for each part, in their order. */
export async function askTogether(
  services: SharedEmbeddingsServices,
  request: SharedEmbeddingsRequest,
  parts: readonly EmbeddingPart[],
): Promise<readonly PartAnswer[]> {
  const { target } = request;
  // The texts are counted while the provider works.
  const weighing = countsOf(target.modelId, parts);
  weighing.catch(() => undefined);
  const asked = await ask(services, request, parts, async () => (await weighing).whole);
  const [first] = parts;
  if (first === undefined) return [];
  const bounds = embeddingBounds({ values: textsOf(parts) });
  const facts = { ...first.facts, upperBoundUsd: wholeBound(parts) };
  const whole = await services.settler.appraise({ facts, target, bounds }, asked.report);
  const appraisals = splitAppraisal(whole, (await weighing).ofParts);
  return appraisals.map((appraisal, place): PartAnswer => {
    const shared = { appraisal, calls: parts.length };
    if (asked.kind === 'failed') return { ...asked, ...shared };
    const { embeddings = [], fault } = asked.vectors[place] ?? {};
    const result = resultOfPart(asked.result, embeddings, appraisal);
    const report: CallReport = {
      ...asked.report,
      answer: () => encodedAnswer(result),
      ...(fault === undefined ? {} : { isInvalidOutput: true }),
    };
    return { kind: 'answered', result, fault, report, ...shared };
  });
}

async function ask(
  { metrics, clock }: SharedEmbeddingsServices,
  { id, target, labels, attempt, signal }: SharedEmbeddingsRequest,
  parts: readonly EmbeddingPart[],
  countInput: () => Promise<number>,
): Promise<Asked> {
  const [first] = parts;
  const values = textsOf(parts);
  const startedMs = clock.monotonicMs();
  metrics.requestBegan(labels);
  metrics.requestShared(labels, parts.length);
  let failure: ModelFailure | undefined;
  const failed = (error: unknown): Asked => {
    failure = classifyModelError(error, clock.now());
    return { kind: 'failed', failure, error, report: reportOfFailedEmbeddings(target, failure) };
  };
  try {
    const params = { ...first?.params, values, abortSignal: signal };
    const headers = target.identify ? { ...params.headers, 'x-millrace-shared-request': id } : params.headers;
    const asking = target.model.doEmbed({ ...params, ...(headers === undefined ? {} : { headers }) });
    const result = await raceAbort(asking, signal);
    try {
      const report = reportOfEmbeddings(target, result, countInput);
      return { kind: 'answered', result, report, vectors: vectorsOf(result, parts, values) };
    } catch (error) {
      return failed(malformedAnswer(error));
    }
  } catch (error) {
    return failed(error);
  } finally {
    metrics.requestEnded(labels, {
      failure: failure?.kind,
      attempt,
      durationMs: clock.monotonicMs() - startedMs,
      firstChunkMs: undefined,
      traceId: undefined,
    });
  }
}

/** Each part's vectors. Where the whole has not one for each text, nobody can tell whose they are. */
function vectorsOf(
  { embeddings, response }: EmbeddingModelV4Result,
  parts: readonly EmbeddingPart[],
  texts: readonly string[],
): readonly PartVectors[] {
  const ordered = inAskedOrder(embeddings, response?.body) ?? [];
  const byText = new Map(texts.map((text, place) => [text, ordered[place] ?? []]));
  return parts.map(({ params, step }) => {
    if (ordered.length !== texts.length)
      return { embeddings: [], fault: faultOfEmbeddings(ordered, texts.length, step) };
    const own = params.values.map((value) => byText.get(value) ?? []);
    return { embeddings: own, fault: faultOfEmbeddings(own, own.length, step) };
  });
}

/** The answer as if the part had been asked alone. The body is not shown: it has the vectors of others. */
function resultOfPart(
  { warnings, providerMetadata, response }: EmbeddingModelV4Result,
  embeddings: EmbeddingModelV4Result['embeddings'],
  { tokens }: Appraisal,
): EmbeddingModelV4Result {
  const count = Object.values(tokens).reduce((sum, one) => sum + one, 0);
  return {
    embeddings,
    warnings,
    usage: { tokens: count },
    ...(providerMetadata === undefined ? {} : { providerMetadata }),
    ...(response?.headers === undefined ? {} : { response: { headers: response.headers } }),
  };
}

/** What each part counts in tokens, and what all texts do that are sent. */
async function countsOf(
  modelId: string,
  parts: readonly EmbeddingPart[],
): Promise<{ readonly ofParts: readonly number[]; readonly whole: number }> {
  const counts = new Map<string, number>();
  for (const text of textsOf(parts)) {
    counts.set(text, await estimateTokens(modelId, text));
    if (counts.size % countedATurn === 0) await nextTurn();
  }
  const sumOf = (values: Iterable<number>): number => [...values].reduce((sum, count) => sum + count, 0);
  return {
    ofParts: parts.map(({ params }) => sumOf(params.values.map((value) => counts.get(value) ?? 0))),
    whole: sumOf(counts.values()),
  };
}

/** What is sent: each text once. */
function textsOf(parts: readonly EmbeddingPart[]): string[] {
  return [...new Set(parts.flatMap(({ params }) => params.values))];
}

/** The most that the request can cost; unknown where it is of any part. */
function wholeBound(parts: readonly EmbeddingPart[]): Usd | undefined {
  const bounds = parts.flatMap(({ facts }) =>
    facts.upperBoundUsd === undefined ? [] : [facts.upperBoundUsd],
  );
  return bounds.length === parts.length ? sumUsd(bounds) : undefined;
}
