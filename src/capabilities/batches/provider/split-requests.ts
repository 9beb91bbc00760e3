import { hash } from 'node:crypto';
import { invariant } from '../../../kernel/invariant.ts';
import { type Uuid, derivedId } from '../../../kernel/ids.ts';
import type { BatchEndpoint, ProviderBatchRequest } from './provider-batch-request.ts';

/** What one batch of a provider may hold. */
export interface ProviderBatchLimits {
  readonly maxRequests: number;
  /** Of the requests as they are sent. */
  readonly maxBytes: number;
  /**
   * Estimated tokens that open batches may hold at once, by model; "*" is for every model without one of its own. A batch
   * holds no more either.
   */
  readonly enqueuedTokens: Readonly<Record<string, number>>;
}

/** A batch of requests that are sent together. */
export interface PlannedBatch {
  readonly id: Uuid;
  readonly endpoint: BatchEndpoint;
  readonly model: string;
  readonly bytes: number;
  readonly estimatedTokens: number;
  readonly requests: readonly ProviderBatchRequest[];
}

/** What stands around a body in a line of a file. */
const lineBytes = 160;

/** The tokens that open batches of the model may hold; undefined without a limit. */
export function enqueuedLimitOf({ enqueuedTokens }: ProviderBatchLimits, model: string): number | undefined {
  return enqueuedTokens[model] ?? enqueuedTokens['*'];
}

/**
 * Divides requests into batches of one endpoint and one model each, within the limits, in the order of the requests. One that
 * exceeds a limit by itself has a batch of its own. The same requests make the same batches, with the same ids.
 */
export function splitRequests(
  account: string,
  requests: readonly ProviderBatchRequest[],
  limits: ProviderBatchLimits,
  now: Date,
): PlannedBatch[] {
  const groups = Map.groupBy(requests, (request) => JSON.stringify([request.endpoint, modelOf(request)]));
  return [...groups.values()].flatMap((group) => splitGroup(account, group, limits, now));
}

function splitGroup(
  account: string,
  group: readonly ProviderBatchRequest[],
  limits: ProviderBatchLimits,
  now: Date,
): PlannedBatch[] {
  const [first] = group;
  if (first === undefined) return [];
  const model = modelOf(first);
  const maxTokens = enqueuedLimitOf(limits, model) ?? Infinity;
  const batches: PlannedBatch[] = [];
  let open: ProviderBatchRequest[] = [];
  let bytes = 0;
  let tokens = 0;
  const close = (): void => {
    if (open.length === 0) return;
    const id = derivedId(now, 'provider batch', account, digestOf(open));
    batches.push({ id, endpoint: first.endpoint, model, bytes, estimatedTokens: tokens, requests: open });
    open = [];
    bytes = 0;
    tokens = 0;
  };
  for (const request of group) {
    const size = Buffer.byteLength(request.body) + lineBytes;
    const isOver =
      open.length >= limits.maxRequests ||
      bytes + size > limits.maxBytes ||
      tokens + request.estimatedTokens > maxTokens;
    if (isOver) close();
    open.push(request);
    bytes += size;
    tokens += request.estimatedTokens;
  }
  close();
  return batches;
}

/** The model that a body names. */
function modelOf({ id, body }: ProviderBatchRequest): string {
  const parsed: unknown = JSON.parse(body);
  const isObject = typeof parsed === 'object' && parsed !== null && 'model' in parsed;
  invariant(isObject && typeof parsed.model === 'string', `the body of request ${id} names its model`);
  invariant(!('stream' in parsed && parsed.stream === true), `request ${id} asks for no stream`);
  return parsed.model;
}

function digestOf(requests: readonly ProviderBatchRequest[]): string {
  const parts = requests.map(({ id, endpoint, body }) =>
    hash('sha256', JSON.stringify([id, endpoint, body])),
  );
  return hash('sha256', parts.join('\n'));
}
