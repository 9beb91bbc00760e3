import { z } from 'zod';
import { parsedJson } from '../parsed-json.ts';
import { refusalsOf } from '../provider-errors.ts';
import { faultsOf } from '../simulator-config.ts';
import { optionalField } from '../optional-field.ts';
import type { KnownBatch } from './batch-book.ts';
import { openaiPhase, validatedMs } from './batch-course.ts';
import { batchEndpoints, lookThrough } from './batch-items.ts';
import type { FileRecord } from './batch-records.ts';
import { batchFaults, pollFaults, uploadFaults } from './batch-rules.ts';
import { answer, cut, pageOf, refused, type RouteAnswer, type RouteQuestion } from './route-answer.ts';
import type { SimulatedBatches } from './simulated-batches.ts';

/*
 * OpenAI's files and batches.
 */

export const openaiFilesPath = '/openai/v1/files';
export const openaiBatchesPath = '/openai/v1/batches';

const refusals = refusalsOf.openai;
const seconds = (ms: number): number => Math.floor(ms / 1000);
const noFile = (id: string): RouteAnswer =>
  refused({ ...refusals.notFound(''), message: `No such File object: ${id}`, param: 'id' });
const noBatch = (id: string): RouteAnswer =>
  refused({ ...refusals.notFound(''), message: `No batch found with id '${id}'.` });

/** Answers what is asked at the paths of files. */
export async function serveFiles(batches: SimulatedBatches, question: RouteQuestion): Promise<RouteAnswer> {
  const [id, part] = question.parts;
  if (id === undefined) {
    return question.method === 'POST' ? await upload(batches, question) : listFiles(batches, question);
  }
  const file = batches.file(id);
  if (file === undefined) return noFile(id);
  switch (`${question.method} ${part ?? ''}`) {
    case 'GET ':
      return answer(fileView(file));
    case 'GET content':
      return { kind: 'content', bytes: await batches.content(id) };
    case 'DELETE ':
      await batches.removeFile(id);
      return answer({ id, object: 'file', deleted: true });
    default:
      return refused(refusals.notFound(question.path));
  }
}

async function upload(
  batches: SimulatedBatches,
  { bytes, contentType }: RouteQuestion,
): Promise<RouteAnswer> {
  const form = await formOf(bytes, contentType);
  const purpose = form?.get('purpose');
  const file = form?.get('file');
  if (purpose !== 'batch' || file === undefined || file === null || typeof file === 'string') {
    return refused(
      refusals.invalidRequest("'purpose' and 'file' are required; the purpose is batch.", 'purpose'),
    );
  }
  const content = Buffer.from(await file.arrayBuffer());
  if (content.length > batches.config.batches.maxFileBytes) return refused(refusals.tooLarge());
  const number = batches.takeNumber();
  const faults = batches.strike({ provider: 'openai', content, number, among: uploadFaults });
  if (faults.upload_refused !== undefined) return refused(refusals.overloaded());
  const record = await batches.addFile({ filename: file.name, purpose }, content);
  if (faults.upload_error_after !== undefined) return refused(refusals.serverError());
  return faults.upload_cut_after === undefined ? answer(fileView(record)) : cut;
}

/** The form, or undefined when the body is none. */
async function formOf(bytes: Buffer, contentType: string): Promise<FormData | undefined> {
  try {
    const body = new Response(new Uint8Array(bytes), { headers: { 'content-type': contentType } });
    // oxlint-disable-next-line typescript/no-deprecated -- it is for tests, and what it takes is bounded
    return await body.formData();
  } catch {
    // No form: refused as the provider does.
    return undefined;
  }
}

function listFiles(batches: SimulatedBatches, { searchParams }: RouteQuestion): RouteAnswer {
  const purpose = searchParams.get('purpose');
  const newestFirst = batches.files().filter((file) => purpose === null || file.purpose === purpose);
  const files = searchParams.get('order') === 'asc' ? newestFirst.toReversed() : newestFirst;
  const { items, hasMore } = pageOf(files, ({ id }) => id, {
    after: searchParams.get('after'),
    limit: Number(searchParams.get('limit') ?? 10_000),
  });
  return answer(listView(items.map(fileView), hasMore));
}

function fileView({ id, filename, purpose, bytes, createdMs }: FileRecord): Listed {
  const created_at = seconds(createdMs);
  return { id, object: 'file', bytes, created_at, expires_at: null, filename, purpose, status: 'processed' };
}

/** An object of a list, in the provider's words. */
interface Listed {
  readonly id: string;
  readonly [field: string]: unknown;
}

function listView(data: readonly Listed[], has_more: boolean): object {
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more,
  };
}

const createSchema = z.object({
  input_file_id: z.string().min(1),
  endpoint: z.string().refine((url) => batchEndpoints.has(url), 'is no endpoint of batches'),
  completion_window: z.literal('24h'),
  metadata: optionalField(
    z
      .record(z.string().max(64), z.string().max(512))
      .refine((metadata) => Object.keys(metadata).length <= 16, 'has more than 16 pairs'),
  ),
});

/** Answers what is asked at the paths of batches. */
export async function serveBatches(batches: SimulatedBatches, question: RouteQuestion): Promise<RouteAnswer> {
  const [id, part] = question.parts;
  if (id === undefined) {
    return question.method === 'POST' ? await create(batches, question) : listBatches(batches, question);
  }
  const known = batches.batch('openai', id);
  if (known === undefined) return noBatch(id);
  switch (`${question.method} ${part ?? ''}`) {
    case 'GET ':
      return poll(batches, known);
    case 'POST cancel':
      if (known.end === undefined) await batches.cancel(known);
      return answer(batchView(batches, known));
    default:
      return refused(refusals.notFound(question.path));
  }
}

function poll(batches: SimulatedBatches, known: KnownBatch): RouteAnswer {
  const number = batches.takeNumber();
  const faults = batches.strike({ provider: 'openai', content: Buffer.alloc(0), number, among: pollFaults });
  return faults.poll_error === undefined
    ? answer(batchView(batches, known))
    : refused(refusals.serverError());
}

async function create(batches: SimulatedBatches, { bytes }: RouteQuestion): Promise<RouteAnswer> {
  const parsed = createSchema.safeParse(parsedJson(bytes.toString('utf8')));
  if (!parsed.success) {
    const [fault] = faultsOf(parsed.error);
    return refused(refusals.invalidRequest(`Invalid '${fault?.field}': ${fault?.problem}`, fault?.field));
  }
  const { input_file_id: inputFileId, endpoint, metadata = null } = parsed.data;
  if (batches.file(inputFileId) === undefined) return noFile(inputFileId);
  const content = await batches.content(inputFileId);
  const number = batches.takeNumber();
  const faults = batches.strike({ provider: 'openai', content, number, among: batchFaults.openai });
  if (faults.create_refused !== undefined) return refused(refusals.overloaded());
  const { config } = batches;
  const { requests, model, inputTokens, problems } = lookThrough(
    content,
    endpoint,
    config.batches,
    config.charactersPerToken,
  );
  const limit = config.batches.enqueuedTokens[model ?? ''] ?? config.batches.enqueuedTokens['*'];
  if (limit !== undefined && batches.enqueuedTokens(model ?? '') + inputTokens > limit) {
    const message = `Enqueued token limit reached for ${model}. Limit: ${limit} enqueued tokens. Please try again once some in_progress batches have been completed.`;
    problems.push({ code: 'token_limit_exceeded', line: null, message, param: null });
  }
  if (faults.fail_late !== undefined) {
    problems.push({ code: 'server_error', line: null, message: 'The batch could not be run.', param: null });
  }
  const known = await batches.create({
    number,
    provider: 'openai',
    endpoint,
    inputFileId,
    metadata,
    requests,
    model,
    inputTokens,
    faults,
    problems,
  });
  if (faults.create_error_after !== undefined) return refused(refusals.serverError());
  return faults.create_cut_after === undefined ? answer(batchView(batches, known)) : cut;
}

function listBatches(batches: SimulatedBatches, { searchParams }: RouteQuestion): RouteAnswer {
  const { items, hasMore } = pageOf(batches.batches('openai'), ({ record }) => record.id, {
    after: searchParams.get('after'),
    limit: Math.min(100, Number(searchParams.get('limit') ?? 20)),
  });
  return answer(
    listView(
      items.map((known) => batchView(batches, known)),
      hasMore,
    ),
  );
}

function batchView(batches: SimulatedBatches, known: KnownBatch): Listed {
  const { record, cancelledMs, end } = known;
  const { faults } = record;
  const total = record.problems.length > 0 ? 0 : record.requests;
  const at = (how: string): number | null => (end?.how === how ? seconds(end.atMs) : null);
  const isFailed = end?.how === 'failed';
  const completed = end?.succeeded ?? 0;
  const usage = {
    input_tokens: (end?.inputTokens ?? 0) + (faults.lie_usage === undefined ? 0 : 1000),
    output_tokens: end?.outputTokens ?? 0,
  };
  return {
    id: record.id,
    object: 'batch',
    endpoint: record.endpoint,
    model: record.model,
    errors: isFailed ? { object: 'list', data: record.problems } : null,
    input_file_id: record.inputFileId,
    completion_window: '24h',
    status: end?.how ?? openaiPhase(batches.courseOf(known), batches.nowMs),
    ...outputFileId(known),
    error_file_id: end?.errorFileId ?? null,
    created_at: seconds(record.createdMs),
    in_progress_at: end === undefined || isFailed ? null : seconds(validatedMs(record)),
    expires_at: seconds(record.createdMs + batches.config.batches.expiresAfterMs),
    finalizing_at: null,
    completed_at: at('completed'),
    failed_at: at('failed'),
    expired_at: at('expired'),
    cancelling_at: cancelledMs === undefined ? null : seconds(cancelledMs),
    cancelled_at: at('cancelled'),
    request_counts:
      faults.lie_counts === undefined
        ? { total, completed, failed: end?.failed ?? 0 }
        : { total: total + 1, completed: total + 1, failed: 0 },
    ...(end !== undefined && {
      usage: {
        ...usage,
        total_tokens: usage.input_tokens + usage.output_tokens,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens_details: { reasoning_tokens: 0 },
      },
    }),
    metadata: record.metadata,
  };
}

function outputFileId({ record: { faults }, end }: KnownBatch): { output_file_id?: string | null } {
  if (faults.output_absent !== undefined) return {};
  if (faults.output_blank !== undefined) return { output_file_id: '' };
  return { output_file_id: end?.outputFileId ?? null };
}
