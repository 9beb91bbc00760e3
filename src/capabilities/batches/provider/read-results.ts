import type { BatchEnding, LineResult, ProviderBatchApi } from './provider-batch-api.ts';
import type { ProviderBatchLedger } from './provider-batch-ledger.ts';
import { placeOf, wholeBatchPrefix } from './provider-batch-request.ts';
import type { ProviderBatch } from './provider-batch-rows.ts';
import type { OddLines } from './result-findings.ts';

/** Outcomes that are written together. */
const outcomesPerWrite = 200;

/** Where results are read, and what can end it. */
interface ResultSource {
  readonly api: ProviderBatchApi;
  readonly ending: BatchEnding;
  readonly signal: AbortSignal | undefined;
}

/**
 * Reads all results of a batch and keeps the outcomes as they come; a request that has one already keeps that. Answers which lines were
 * nobody's. Throws when they break off.
 */
export async function readResults(
  ledger: ProviderBatchLedger,
  batch: ProviderBatch,
  { api, ending, signal }: ResultSource,
): Promise<OddLines> {
  const odd = { unreadable: 0, foreign: 0, repeated: 0 };
  const seen = new Set<number>();
  let results = new Map<number, LineResult>();
  for (const resultId of ending.resultIds) {
    for await (const line of api.results(resultId)) {
      if (line.kind === 'unreadable') {
        odd.unreadable += 1;
        continue;
      }
      const place = placeOf(batch.id, line.customId);
      if (place === undefined || place >= batch.requests) {
        odd.foreign += 1;
        continue;
      }
      if (seen.has(place)) {
        odd.repeated += 1;
        continue;
      }
      seen.add(place);
      results.set(place, line.result);
      if (results.size < outcomesPerWrite) continue;
      await ledger.recordOutcomes(batch, results);
      results = new Map();
      // What is kept so far stays; whoever goes on reads from the start.
      signal?.throwIfAborted();
    }
  }
  await ledger.recordOutcomes(batch, results);
  return odd;
}

/**
 * What requests are of which the results say nothing. Only a batch that failed as a whole, or was never sent, cannot have been billed:
 * one that expired or was cancelled may have carried out what its results lack.
 */
export function restOf(
  { how, problem }: BatchEnding,
  { isSent }: { readonly isSent: boolean },
): Parameters<ProviderBatchLedger['endCollection']>[1] {
  if (how === 'failed') {
    return {
      outcome: 'failed',
      code: `${wholeBatchPrefix}${problem?.code ?? 'failed'}`,
      message: problem?.message ?? 'The batch failed as a whole.',
    };
  }
  if (how === 'cancelled' && !isSent) {
    return {
      outcome: 'cancelled',
      code: 'batch_cancelled',
      message: 'The batch was cancelled before it was sent.',
    };
  }
  return {
    outcome: 'missing',
    code: 'no_result',
    message: 'The provider gives no result. The request may have been billed.',
  };
}
