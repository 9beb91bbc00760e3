import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { RequestUrl } from '../control-routes.ts';
import { refusalsOf } from '../provider-errors.ts';
import { Reply } from '../reply.ts';
import { readBytes } from '../request-body.ts';
import type { SimulatedProvider } from '../simulator-prices.ts';
import { isKeyAccepted } from '../verdict.ts';
import { anthropicBatchesPath, serveMessageBatches } from './anthropic-batch-routes.ts';
import { downloadFaults } from './batch-rules.ts';
import { openaiBatchesPath, openaiFilesPath, serveBatches, serveFiles } from './openai-batch-routes.ts';
import type { RouteAnswer, RouteQuestion } from './route-answer.ts';
import type { SimulatedBatches } from './simulated-batches.ts';

interface BatchRoute {
  /** In the statistics. */
  readonly name: string;
  readonly provider: SimulatedProvider;
  readonly path: string;
  serve(batches: SimulatedBatches, question: RouteQuestion): Promise<RouteAnswer>;
}

const routes: readonly BatchRoute[] = [
  { name: 'files', provider: 'openai', path: openaiFilesPath, serve: serveFiles },
  { name: 'batches', provider: 'openai', path: openaiBatchesPath, serve: serveBatches },
  { name: 'message_batches', provider: 'anthropic', path: anthropicBatchesPath, serve: serveMessageBatches },
];

/** The route of files or batches that the path belongs to. */
export function batchRouteOf(pathname: string): BatchRoute | undefined {
  return routes.find(({ path }) => pathname === path || pathname.startsWith(`${path}/`));
}

/** What is sent at a time of a file's content. */
const pieceBytes = 64 * 1024;
/** Room for what a form or a list of requests has beside them. */
const spareBytes = 64 * 1024 * 1024;

/** Serves a request to files or batches. */
export async function serveBatchRoute(
  batches: SimulatedBatches,
  route: BatchRoute,
  { url, clock }: { readonly url: RequestUrl; readonly clock: Clock },
  { incoming, response }: { readonly incoming: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  const { provider } = route;
  const refusals = refusalsOf[provider];
  const reply = new Reply(provider, `req_${newId(clock.now()).replaceAll('-', '')}`, response, clock);
  const read = await readBytes(incoming, batches.config.batches.maxFileBytes + spareBytes);
  if (read.kind === 'gone') return;
  if (read.kind === 'too-large') {
    reply.addHeaders({ connection: 'close' });
    reply.refuse(refusals.tooLarge());
    return;
  }
  if (!isKeyAccepted(provider, incoming.headers, batches.config.apiKeys)) {
    reply.refuse(refusals.unauthorised());
    return;
  }
  await batches.catchUp();
  const rest = url.pathname.slice(route.path.length + 1);
  const answered = await route.serve(batches, {
    method: incoming.method ?? 'GET',
    path: `${incoming.method} ${url.pathname}`,
    parts: rest === '' ? [] : rest.split('/').map(decodeURIComponent),
    searchParams: url.searchParams,
    contentType: incoming.headers['content-type'] ?? '',
    origin: `http://${incoming.headers.host}`,
    bytes: read.bytes,
  });
  await send(batches, provider, reply, answered);
}

async function send(
  batches: SimulatedBatches,
  provider: SimulatedProvider,
  reply: Reply,
  answered: RouteAnswer,
): Promise<void> {
  switch (answered.kind) {
    case 'json':
      reply.json(JSON.stringify(answered.body));
      return;
    case 'refused':
      reply.refuse(answered.refusal);
      return;
    case 'cut':
      reply.cut();
      return;
    case 'content':
      await sendContent(batches, provider, reply, answered.bytes);
  }
}

async function sendContent(
  batches: SimulatedBatches,
  provider: SimulatedProvider,
  reply: Reply,
  content: Buffer,
): Promise<void> {
  const number = batches.takeNumber();
  const faults = batches.strike({ provider, content, number, among: downloadFaults });
  reply.addHeaders({ 'content-length': String(content.length) });
  reply.begin(200, 'application/octet-stream');
  const end = faults.cut_download === undefined ? content.length : Math.floor(content.length / 2);
  for (let start = 0; start < end && !reply.isGone; start += pieceBytes) {
    await reply.write(content.subarray(start, Math.min(end, start + pieceBytes)));
  }
  if (faults.cut_download === undefined) {
    reply.end();
    return;
  }
  await reply.cutSoon();
}
