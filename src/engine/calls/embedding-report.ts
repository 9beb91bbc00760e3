import type { EmbeddingModelV4, EmbeddingModelV4Result } from '@ai-sdk/provider';
import type { ModelFailure } from '../providers/classify-model-error.ts';
import { ownReading } from '../providers/own-usage.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import { type ReportedUsage, splitTotal } from '../providers/token-usage.ts';
import { rawUsageOfBody, usageOf } from '../providers/usage-of-answer.ts';
import { type CallReport, providerRequestIdOf, reportOfFailure } from './call-report.ts';
import { encodeEmbeddingAnswer } from './recorded-answer.ts';

/* What came back about a request for embeddings. */

/** The report of an answer; `countInput` counts its tokens where the provider did not. */
export function reportOfEmbeddings(
  target: ModelTarget<EmbeddingModelV4>,
  result: EmbeddingModelV4Result,
  countInput: () => Promise<number>,
): CallReport {
  const { response, usage, providerMetadata } = result;
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
    answer: () => encodedAnswer(result),
    count: { countInput, countOutput: () => Promise.resolve(0) },
  };
}

/** The answer as it is kept. */
export function encodedAnswer({
  embeddings,
  warnings,
  usage,
  providerMetadata,
}: EmbeddingModelV4Result): string {
  return encodeEmbeddingAnswer({
    embeddings,
    warnings,
    ...(usage === undefined ? {} : { usage }),
    ...(providerMetadata === undefined ? {} : { providerMetadata }),
  });
}

/** The report of a request that brought none. */
export function reportOfFailedEmbeddings(
  target: ModelTarget<EmbeddingModelV4>,
  failure: ModelFailure,
): CallReport {
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
