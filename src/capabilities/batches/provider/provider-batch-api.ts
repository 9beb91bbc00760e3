import type { Uuid } from '../../../kernel/ids.ts';
import type { FoundBatch } from './provider-batch-state.ts';
import type { BatchEndpoint, RequestEnd } from './provider-batch-request.ts';

/** A request with its name at the provider. */
export interface NamedRequest {
  readonly customId: string;
  readonly endpoint: BatchEndpoint;
  readonly body: string;
}

/** A batch that is sent. */
export interface SentBatch {
  readonly id: Uuid;
  readonly endpoint: BatchEndpoint;
  readonly requests: number;
  /** The provider's id of the uploaded requests; undefined at a provider without files. */
  readonly fileId: string | undefined;
  /** Its requests, in their order, from the first at each call. */
  readonly read: () => AsyncIterable<NamedRequest>;
}

/** What is looked for when it is not known whether a batch was created. */
export interface SoughtBatch {
  readonly id: Uuid;
  readonly requests: number;
  readonly beganAt: Date;
  /** Whether the provider's batch is known to be another one. */
  readonly isOther: (providerId: string) => Promise<boolean>;
}

/** Tokens of a batch as a whole. */
export interface BatchUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What a provider said about a batch that has ended. */
export interface BatchEnding {
  readonly how: 'completed' | 'expired' | 'cancelled' | 'failed' | 'given_up';
  /** Where its results are: ids of files, or of the batch. None where there are none. */
  readonly resultIds: readonly string[];
  /** Why it failed as a whole. */
  readonly problem?: { readonly code: string; readonly message: string } | undefined;
  /** Its own sum over all requests, where it gives one. */
  readonly usage?: BatchUsage | undefined;
}

/** A batch as its provider sees it. */
export type ProviderBatchView =
  | { readonly kind: 'running' }
  | { readonly kind: 'ended'; readonly ending: BatchEnding }
  /** The provider does not know it. */
  | { readonly kind: 'gone' };

/** A line of results. */
export type ResultLine =
  | { readonly kind: 'result'; readonly customId: string; readonly result: LineResult }
  /** It cannot be read. */
  | { readonly kind: 'unreadable' };

/** What a line says about its request. */
export interface LineResult {
  readonly outcome: Exclude<RequestEnd, 'missing'>;
  readonly statusCode?: number | undefined;
  /** JSON. */
  readonly body?: string | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly usage?: BatchUsage | undefined;
}

/**
 * What a provider's batches are reached by. Every method sends one request, or some that only read, and repeats none. They throw what
 * the provider's SDK throws; `failureOf` says what that means.
 */
export interface ProviderBatchApi {
  /** Whether requests are uploaded as a file before the batch is created. */
  readonly hasFiles: boolean;
  /** Uploads the requests under a name that carries the batch's id. Answers the file's id. */
  upload(batch: SentBatch): Promise<string>;
  /** The files that carry the batch's id, newest first. */
  findUploads(batch: Pick<SoughtBatch, 'id' | 'beganAt'>): Promise<readonly string[]>;
  /** Creates the batch. Answers the provider's id of it. */
  create(batch: SentBatch): Promise<string>;
  /** Looks whether the batch was created. */
  find(batch: SoughtBatch): Promise<FoundBatch>;
  read(providerId: string): Promise<ProviderBatchView>;
  /** Asks for its end. What is done stays done, and billed. */
  cancel(providerId: string): Promise<void>;
  /** The lines of one of the batch's results, in any order. Throws when they break off; nothing where they are gone. */
  results(resultId: string): AsyncIterable<ResultLine>;
  /** Removes a file, or results. Resolves also when there was none. */
  remove(id: string): Promise<void>;
}
