import OpenAI, { toStreamingFile } from 'openai';
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
import type { FoundBatch } from './provider-batch-state.ts';
import { unlessGone } from './provider-failure.ts';
import { readOpenaiLine } from './result-line.ts';
import { textLines } from './text-lines.ts';

/*
 * OpenAI's files and batches. A file is known by its name, a batch by its metadata.
 */

const marker = 'millrace_provider_batch';
/** What is sent of a file at a time. */
const pieceLines = 100;

export class OpenaiBatchApi implements ProviderBatchApi {
  readonly hasFiles = true;
  readonly #client: OpenAI;

  constructor({
    apiKey,
    baseUrl,
    headers,
    requestTimeoutMs = defaultRequestTimeoutMs,
  }: ProviderBatchAccount) {
    this.#client = new OpenAI({
      apiKey,
      organization: null,
      project: null,
      baseURL: baseUrl ?? null,
      defaultHeaders: { ...headers },
      maxRetries: 0,
      timeout: requestTimeoutMs,
    });
  }

  async upload(batch: SentBatch): Promise<string> {
    const file = toStreamingFile(linesOf(batch), fileNameOf(batch.id), { type: 'application/jsonl' });
    const { id } = await this.#client.files.create({ purpose: 'batch', file });
    return id;
  }

  async findUploads({ id, beganAt }: Pick<SoughtBatch, 'id' | 'beganAt'>): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const file of this.#client.files.list({ purpose: 'batch', order: 'desc', limit: pageSize })) {
      if (file.created_at * 1000 < beganAt.getTime() - clockSkewMs) break;
      if (file.filename === fileNameOf(id)) found.push(file.id);
    }
    return found;
  }

  async create({ id, endpoint, requests, fileId }: SentBatch): Promise<string> {
    const created = await this.#client.batches.create({
      input_file_id: fileId ?? '',
      endpoint: endpointOf(endpoint),
      completion_window: '24h',
      metadata: { [marker]: id, millrace_requests: String(requests) },
    });
    return created.id;
  }

  async find({ id, beganAt }: SoughtBatch): Promise<FoundBatch> {
    const found: string[] = [];
    for await (const batch of this.#client.batches.list({ limit: pageSize })) {
      if (batch.created_at * 1000 < beganAt.getTime() - clockSkewMs) break;
      if (batch.metadata?.[marker] === id) found.push(batch.id);
    }
    const [providerId] = found;
    if (providerId === undefined) return { kind: 'none' };
    return found.length === 1 ? { kind: 'found', providerId } : { kind: 'several', providerIds: found };
  }

  async read(providerId: string): Promise<ProviderBatchView> {
    const batch = await unlessGone(this.#client.batches.retrieve(providerId));
    return batch === undefined ? { kind: 'gone' } : viewOf(batch);
  }

  async cancel(providerId: string): Promise<void> {
    await this.#client.batches.cancel(providerId);
  }

  async *results(resultId: string): AsyncGenerator<ResultLine> {
    const content = await unlessGone(this.#client.files.content(resultId));
    const lines = content?.body ?? undefined;
    if (lines === undefined) return;
    for await (const line of textLines(lines, maxLineBytes)) yield readOpenaiLine(line);
  }

  async remove(id: string): Promise<void> {
    await unlessGone(this.#client.files.delete(id));
  }
}

function fileNameOf(id: string): string {
  return `millrace-${id}.jsonl`;
}

async function* linesOf({ read }: SentBatch): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let lines: string[] = [];
  for await (const { customId, endpoint, body } of read()) {
    const head = JSON.stringify({ custom_id: customId, method: 'POST', url: endpoint }).slice(0, -1);
    lines.push(`${head},"body":${body}}\n`);
    if (lines.length < pieceLines) continue;
    yield new TextEncoder().encode(lines.join(''));
    lines = [];
  }
  yield new TextEncoder().encode(lines.join(''));
}

function endpointOf(endpoint: SentBatch['endpoint']): OpenAI.BatchCreateParams['endpoint'] {
  if (endpoint === '/v1/messages') throw new Error(`OpenAI has no ${endpoint}.`);
  return endpoint;
}

function viewOf(batch: OpenAI.Batch): ProviderBatchView {
  const how = howOf(batch.status);
  if (how === undefined) return { kind: 'running' };
  const [problem] = batch.errors?.data ?? [];
  const ending: BatchEnding = {
    how,
    // A file that is not there is null, absent or an empty text.
    resultIds: [batch.output_file_id ?? '', batch.error_file_id ?? ''].filter((id) => id !== ''),
    ...(how === 'failed' && {
      problem: {
        code: problem?.code ?? 'unknown',
        message: batch.errors?.data?.map(({ message }) => message ?? '').join(' ') ?? '',
      },
    }),
    ...(batch.usage !== undefined && {
      usage: { inputTokens: batch.usage.input_tokens, outputTokens: batch.usage.output_tokens },
    }),
  };
  return { kind: 'ended', ending };
}

function howOf(status: OpenAI.Batch['status']): BatchEnding['how'] | undefined {
  switch (status) {
    case 'completed':
    case 'expired':
    case 'cancelled':
    case 'failed':
      return status;
    default:
      return undefined;
  }
}
