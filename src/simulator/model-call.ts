import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId } from '../kernel/ids.ts';
import type { Bill, BillEntry } from './bill.ts';
import type { Answer, Endpoint } from './endpoint.ts';
import { refusalsOf } from './provider-errors.ts';
import { readBody } from './request-body.ts';
import { type Pace, Reply } from './reply.ts';
import { playTrick } from './hostile-reply.ts';
import type { TrickName } from './trick-names.ts';
import { billedAtto, usdOfAtto } from './simulator-prices.ts';
import type { StatsCounter } from './simulator-stats.ts';
import { type Court, headerOf, judge, type Verdict } from './verdict.ts';

/*
 * The life of one model call: read, judge, bill, wait, answer. The bill is written before the wait, when a provider
 * would begin to generate: a client that leaves in between has spent the money all the same, and so has one whose
 * answer is broken on purpose. If the client was gone before the end, a second line says that it saw no usage.
 */

/** What serving needs besides judging. */
export interface Counter extends Court {
  readonly bill: Bill;
  readonly stats: StatsCounter;
  /** Where redirects of a hostile provider lead. */
  readonly decoyUrl: string;
}

export async function serveModelCall(
  counter: Counter,
  endpoint: Endpoint,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { config, clock, stats } = counter;
  const id = newId(clock.now()).replaceAll('-', '');
  const reply = new Reply(endpoint.provider, `req_${id}`, response, clock);
  const body = await readBody(incoming, config.maxRequestBytes);
  if (body.kind === 'gone') {
    stats.clientGone();
    return;
  }
  if (body.kind === 'too-large') {
    reply.addHeaders({ connection: 'close' });
    reply.refuse(refusalsOf[endpoint.provider].tooLarge());
    return;
  }
  const verdict = judge(counter, { endpoint, headers: incoming.headers, body: body.text, answerId: id });
  if (verdict.fault !== undefined) stats.fault(verdict.fault);
  reply.addHeaders(verdict.headers);
  if (verdict.refusal !== undefined) reply.refuse(verdict.refusal);
  else if (verdict.answer !== undefined)
    await answer(counter, endpoint, incoming, { reply, verdict, answer: verdict.answer });
  // Otherwise it hangs: the connection stays open until the client leaves.
}

interface Delivery {
  readonly reply: Reply;
  readonly verdict: Verdict;
  readonly answer: Answer;
}

async function answer(
  { bill, config, stats, decoyUrl }: Counter,
  endpoint: Endpoint,
  incoming: IncomingMessage,
  delivery: Delivery,
): Promise<void> {
  const { trick } = delivery.verdict;
  if (trick !== undefined) {
    stats.trick(trick.name);
    if (trick.isBilled) await bill.add(entryOf(endpoint, incoming, delivery));
    if (!(await delivery.reply.wait(delivery.verdict.latencyMs))) return;
    const { floodBytes = 0 } = config.hostile ?? {};
    const apiKey = keyOf(incoming.headers);
    await playTrick({ ...delivery, endpoint, trick, apiKey, decoyUrl, floodBytes });
    return;
  }
  const entry = await bill.add(entryOf(endpoint, incoming, delivery));
  const { reply, verdict } = delivery;
  if (verdict.fault === 'hang_billed') return;
  const { firstTokenShare, tokensPerSecond } = config.latency;
  const firstFrameMs = verdict.latencyMs * firstTokenShare;
  const outputTokens = delivery.answer.tokens.text_output;
  const restMs =
    tokensPerSecond === 0 ? verdict.latencyMs - firstFrameMs : (outputTokens * 1000) / tokensPerSecond;
  if (delivery.answer.request.stream) await sendStream(endpoint, delivery, { firstFrameMs, restMs });
  else await sendWhole(endpoint, delivery);
  if (verdict.fault === 'cut_stream') return;
  if (reply.wasMissed) {
    stats.clientGone();
    await bill.markUnreported(entry);
  }
}

async function sendWhole(endpoint: Endpoint, { reply, verdict, answer: whole }: Delivery): Promise<void> {
  const isStillThere = await reply.wait(verdict.latencyMs);
  if (!isStillThere) return;
  const text = JSON.stringify(endpoint.body(whole));
  if (verdict.fault === 'cut_stream') await reply.cutJson(text);
  else reply.json(verdict.fault === 'malformed' ? text.slice(0, Math.floor(text.length * 0.6)) : text);
}

async function sendStream(
  endpoint: Endpoint,
  { reply, verdict, answer: whole }: Delivery,
  pace: Pace,
): Promise<void> {
  const frames = endpoint.frames(whole);
  const half = frames.slice(0, Math.max(1, Math.floor(frames.length / 2)));
  if (verdict.fault === 'cut_stream') await reply.stream(half, pace, true);
  else if (verdict.fault === 'malformed')
    await reply.stream([...half, 'data: {"id":"broken\n\n'], pace, false);
  else await reply.stream(frames, pace, false);
}

function entryOf(
  endpoint: Endpoint,
  { headers }: IncomingMessage,
  { reply, verdict, answer: { model, request, tier, tokens, showsUsage, at } }: Delivery,
): Omit<BillEntry, 'n'> {
  const { fault = null, trick } = verdict;
  const isBrokenOff = fault === 'cut_stream' || fault === 'malformed' || fault === 'hang_billed';
  return {
    requestId: reply.requestId,
    at: at.toISOString(),
    provider: endpoint.provider,
    endpoint: endpoint.name,
    modelAsked: request.model,
    modelAnswered: model.answeredId,
    tier,
    tokens,
    costUsd: usdOfAtto(billedAtto(model, tier, tokens)),
    usageReported: showsUsage && !isBrokenOff && (trick === undefined || tellsTheTruth.has(trick.name)),
    fault,
    ...(trick === undefined ? {} : { trick: trick.name }),
    requestHash: verdict.requestHash,
    callId: headerOf(headers, 'x-millrace-call-id') ?? null,
    messageId: headerOf(headers, 'x-millrace-message-id') ?? null,
    step: headerOf(headers, 'x-millrace-step') ?? null,
  };
}

/** Tricks after which the client still knows the true usage. */
const tellsTheTruth: ReadonlySet<TrickName> = new Set([
  'usage_text',
  'usage_float',
  'echo_in_headers',
  'echo_in_answer',
  'refusal_with_text',
]);

/** What the client said who it is. */
function keyOf(headers: IncomingMessage['headers']): string {
  const bearer = /^Bearer\s+(.+)$/i.exec(headers.authorization ?? '')?.[1];
  return headerOf(headers, 'x-api-key') ?? bearer ?? '';
}
