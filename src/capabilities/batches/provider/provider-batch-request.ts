import type { Uuid } from '../../../kernel/ids.ts';

/** Where a request goes. */
export type BatchEndpoint = '/v1/chat/completions' | '/v1/responses' | '/v1/embeddings' | '/v1/messages';

/** One request to a model, as it would be sent by itself. */
export interface ProviderBatchRequest {
  /** The caller's: one request is sent once, however often it is submitted. */
  readonly id: string;
  readonly endpoint: BatchEndpoint;
  /** JSON of an object that names its `model` and does not ask for a stream. */
  readonly body: string;
  /** What it counts against the provider's limit of enqueued tokens. */
  readonly estimatedTokens: number;
}

/** How a request ended. `missing`: the provider says nothing about it, and it may have been billed. */
export const requestEnds = ['succeeded', 'failed', 'expired', 'cancelled', 'missing'] as const;

export type RequestEnd = (typeof requestEnds)[number];

/** What became of a request. */
export interface RequestOutcome {
  readonly id: string;
  readonly outcome: RequestEnd;
  /** Of its own HTTP answer, where there was one. */
  readonly statusCode: number | undefined;
  /** The answer's body as JSON; of requests that succeeded. */
  readonly result: string | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

/** What codes of errors begin with that say why a whole batch failed, and nothing of the request. */
export const wholeBatchPrefix = 'batch:';

/** The name of a request at the provider: the batch as the mark by which it is known, and its place. Fits both providers' patterns. */
export function customIdOf(batchId: Uuid, place: number): string {
  return `${fingerprintOf(batchId)}-${place}`;
}

/** What the names of a batch's requests begin with. */
function fingerprintOf(batchId: Uuid): string {
  return batchId.replaceAll('-', '');
}

/** The place that a name stands for; undefined when it is no name of the batch. */
export function placeOf(batchId: Uuid, customId: string): number | undefined {
  const prefix = `${fingerprintOf(batchId)}-`;
  const place = customId.slice(prefix.length);
  return customId.startsWith(prefix) && /^(?:0|[1-9]\d{0,8})$/.test(place) ? Number(place) : undefined;
}
