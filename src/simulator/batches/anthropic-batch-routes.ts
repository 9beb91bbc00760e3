import { z } from 'zod';
import { parsedJson } from '../parsed-json.ts';
import { refusalsOf } from '../provider-errors.ts';
import { faultsOf } from '../simulator-config.ts';
import type { KnownBatch } from './batch-book.ts';
import { internalPurpose } from './batch-end.ts';
import { batchFaults, pollFaults } from './batch-rules.ts';
import { answer, cut, pageOf, refused, type RouteAnswer, type RouteQuestion } from './route-answer.ts';
import type { SimulatedBatches } from './simulated-batches.ts';

/*
 * Anthropic's message batches.
 */

export const anthropicBatchesPath = '/anthropic/v1/messages/batches';

const refusals = refusalsOf.anthropic;

const createSchema = z.object({
  requests: z
    .array(
      z.object({
        custom_id: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
        params: z.looseObject({ model: z.string().min(1), max_tokens: z.int().min(1) }),
      }),
    )
    .min(1),
});

/** Answers what is asked at the paths of message batches. */
export async function serveMessageBatches(
  batches: SimulatedBatches,
  question: RouteQuestion,
): Promise<RouteAnswer> {
  const [id, part] = question.parts;
  if (id === undefined) {
    return question.method === 'POST' ? await create(batches, question) : list(batches, question);
  }
  const known = batches.batch('anthropic', id);
  if (known === undefined) return refused(refusals.notFound(question.path));
  const view = (): RouteAnswer => answer(batchView(batches, known, question.origin));
  switch (`${question.method} ${part ?? ''}`) {
    case 'GET ': {
      const number = batches.takeNumber();
      const content = Buffer.alloc(0);
      const faults = batches.strike({ provider: 'anthropic', content, number, among: pollFaults });
      return faults.poll_error === undefined ? view() : refused(refusals.serverError());
    }
    case 'POST cancel':
      if (known.end === undefined) await batches.cancel(known);
      return view();
    case 'GET results':
      return await results(batches, known, question);
    case 'DELETE ':
      if (known.end === undefined) {
        return refused(
          refusals.invalidRequest('A batch that is in progress cannot be deleted: cancel it first.'),
        );
      }
      await batches.removeBatch(known);
      return answer({ id, type: 'message_batch_deleted' });
    default:
      return refused(refusals.notFound(question.path));
  }
}

async function results(
  batches: SimulatedBatches,
  { end }: KnownBatch,
  { path }: RouteQuestion,
): Promise<RouteAnswer> {
  const { outputFileId = null } = end ?? {};
  if (outputFileId === null) return refused(refusals.notFound(path));
  return { kind: 'content', bytes: await batches.content(outputFileId) };
}

async function create(batches: SimulatedBatches, { bytes, origin }: RouteQuestion): Promise<RouteAnswer> {
  const parsed = createSchema.safeParse(parsedJson(bytes.toString('utf8')));
  if (!parsed.success) {
    const [fault] = faultsOf(parsed.error);
    return refused(refusals.invalidRequest(`${fault?.field}: ${fault?.problem}`));
  }
  const { requests } = parsed.data;
  if (requests.length > batches.config.batches.maxRequestsPerMessageBatch) {
    return refused(refusals.invalidRequest('requests: too many requests in a batch'));
  }
  const ids = new Set(requests.map(({ custom_id: customId }) => customId));
  if (ids.size < requests.length)
    return refused(refusals.invalidRequest('requests: custom_id is not unique'));
  const content = Buffer.from(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  const number = batches.takeNumber();
  const faults = batches.strike({ provider: 'anthropic', content, number, among: batchFaults.anthropic });
  if (faults.create_refused !== undefined) return refused(refusals.overloaded());
  const file = await batches.addFile({ filename: 'requests.jsonl', purpose: internalPurpose }, content);
  const known = await batches.create({
    number,
    provider: 'anthropic',
    endpoint: '/v1/messages',
    inputFileId: file.id,
    metadata: null,
    requests: requests.length,
    model: null,
    inputTokens: 0,
    faults,
    problems: [],
  });
  if (faults.create_error_after !== undefined) return refused(refusals.serverError());
  return faults.create_cut_after === undefined ? answer(batchView(batches, known, origin)) : cut;
}

function list(batches: SimulatedBatches, { searchParams, origin }: RouteQuestion): RouteAnswer {
  const { items, hasMore } = pageOf(batches.batches('anthropic'), ({ record }) => record.id, {
    after: searchParams.get('after_id'),
    limit: Math.min(1000, Number(searchParams.get('limit') ?? 20)),
  });
  return answer({
    data: items.map((known) => batchView(batches, known, origin)),
    has_more: hasMore,
    first_id: items[0]?.record.id ?? null,
    last_id: items.at(-1)?.record.id ?? null,
  });
}

function batchView(
  batches: SimulatedBatches,
  { record, cancelledMs, end }: KnownBatch,
  origin: string,
): object {
  const time = (ms: number | undefined): string | null =>
    ms === undefined ? null : new Date(ms).toISOString();
  const counts = {
    processing: end === undefined ? record.requests : 0,
    succeeded: end?.succeeded ?? 0,
    errored: end?.failed ?? 0,
    canceled: end?.cancelled ?? 0,
    expired: end?.expired ?? 0,
  };
  const isLying = end !== undefined && record.faults.lie_counts !== undefined;
  return {
    id: record.id,
    type: 'message_batch',
    processing_status: end !== undefined ? 'ended' : cancelledMs === undefined ? 'in_progress' : 'canceling',
    request_counts: isLying
      ? { processing: 0, succeeded: record.requests + 1, errored: 0, canceled: 0, expired: 0 }
      : counts,
    created_at: time(record.createdMs),
    expires_at: time(record.createdMs + batches.config.batches.expiresAfterMs),
    ended_at: time(end?.atMs),
    archived_at: null,
    cancel_initiated_at: time(cancelledMs),
    results_url: end === undefined ? null : `${origin}${anthropicBatchesPath}/${record.id}/results`,
  };
}
