import Anthropic from '@anthropic-ai/sdk';
import { clockSkewMs, maxLineBytes, pageSize } from './adapter-limits.ts';
import { defaultRequestTimeoutMs, type ProviderBatchAccount } from './provider-batch-account.ts';
import type {
  BatchEnding,
  ProviderBatchApi,
  ProviderBatchView,
  ResultLine,
  SentBatch,
  SoughtBatch,
} from './provider-batch-api.ts';
import { placeOf } from './provider-batch-request.ts';
import type { FoundBatch } from './provider-batch-state.ts';
import { unlessGone } from './provider-failure.ts';
import { readAnthropicLine } from './result-line.ts';
import { textLines } from './text-lines.ts';

/*
 * Anthropic's message batches. They carry no mark, and the names of their requests can be read only at the end: a batch that is
 * looked for is one of its time and count, and it is this one when a name in its results is one of this batch's.
 */

/** By so many of its requests a batch is known. */
const maxNames = 20;

type Batch = Anthropic.Messages.MessageBatch;

export class AnthropicBatchApi implements ProviderBatchApi {
  readonly hasFiles = false;
  readonly #client: Anthropic;

  constructor({
    apiKey,
    baseUrl,
    headers,
    requestTimeoutMs = defaultRequestTimeoutMs,
  }: ProviderBatchAccount) {
    this.#client = new Anthropic({
      apiKey,
      authToken: null,
      // Models are reached under /v1, which this SDK adds itself.
      baseURL: baseUrl?.replace(/\/v1\/?$/, '') ?? null,
      defaultHeaders: { ...headers },
      maxRetries: 0,
      timeout: requestTimeoutMs,
    });
  }

  upload(): Promise<string> {
    return Promise.reject(new Error("Anthropic's batches have no files."));
  }

  findUploads(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  async create({ read }: SentBatch): Promise<string> {
    const requests: { custom_id: string; params: Anthropic.Messages.BatchCreateParams.Request['params'] }[] =
      [];
    for await (const { customId, body } of read()) {
      // The body was rendered for this very endpoint; what is wrong with it the provider says.
      requests.push({ custom_id: customId, params: JSON.parse(body) as (typeof requests)[number]['params'] });
    }
    return (await this.#client.messages.batches.create({ requests })).id;
  }

  async find({ id, requests, beganAt, isOther }: SoughtBatch): Promise<FoundBatch> {
    const found: string[] = [];
    let isUndecided = false;
    let isUnreadable = false;
    for await (const batch of this.#client.messages.batches.list({ limit: pageSize })) {
      if (Date.parse(batch.created_at) < beganAt.getTime() - clockSkewMs) break;
      if (await isOther(batch.id)) continue;
      if (batch.processing_status !== 'ended') {
        isUndecided ||= mayHold(batch, requests);
        continue;
      }
      const names = await this.#someNames(batch.id);
      if (names.some((name) => placeOf(id, name) !== undefined)) found.push(batch.id);
      else if (names.length === 0) isUnreadable ||= mayHold(batch, requests);
    }
    const [providerId] = found;
    if (found.length > 1) return { kind: 'several', providerIds: found };
    if (providerId !== undefined) return { kind: 'found', providerId };
    if (isUndecided) return { kind: 'undecided' };
    return { kind: isUnreadable ? 'unreadable' : 'none' };
  }

  async read(providerId: string): Promise<ProviderBatchView> {
    const batch = await unlessGone(this.#client.messages.batches.retrieve(providerId));
    return batch === undefined ? { kind: 'gone' } : viewOf(batch);
  }

  async cancel(providerId: string): Promise<void> {
    await this.#client.messages.batches.cancel(providerId);
  }

  /** The SDK's own reader ends at the first line that is no JSON; this one reads the same answer line by line. */
  async *results(resultId: string): AsyncGenerator<ResultLine> {
    const path = `/v1/messages/batches/${encodeURIComponent(resultId)}/results`;
    const content = await unlessGone(this.#client.get(path, { __binaryResponse: true }).asResponse());
    const lines = content?.body ?? undefined;
    if (lines === undefined) return;
    for await (const line of textLines(lines, maxLineBytes)) yield readAnthropicLine(line);
  }

  async remove(id: string): Promise<void> {
    await unlessGone(this.#client.messages.batches.delete(id));
  }

  /** Names of requests in the results, none when none can be read. */
  async #someNames(providerId: string): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const line of this.results(providerId)) {
      if (line.kind === 'result') names.push(line.customId);
      if (names.length === maxNames) break;
    }
    return names;
  }
}

/** Whether the batch has as many requests, as far as the provider says so. */
function mayHold({ request_counts: counts }: Batch, requests: number): boolean {
  const { processing, succeeded, errored, canceled, expired } = counts;
  const total = processing + succeeded + errored + canceled + expired;
  return total === 0 || total === requests;
}

function viewOf({
  id,
  processing_status: status,
  results_url: url,
  cancel_initiated_at: cancelled,
}: Batch): ProviderBatchView {
  if (status !== 'ended') return { kind: 'running' };
  const ending: BatchEnding = {
    how: cancelled === null ? 'completed' : 'cancelled',
    resultIds: url === null ? [] : [id],
  };
  return { kind: 'ended', ending };
}
