import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId } from '../kernel/ids.ts';
import type { Bill, BillEntry } from './bill.ts';
import type { Answer, Endpoint } from './endpoint.ts';
import { producedTokens } from './produced.ts';
import { refusalsOf } from './provider-errors.ts';
import { readBody } from './request-body.ts';
import { type Pace, Reply } from './reply.ts';
import { playTrick } from './hostile-reply.ts';
import type { TrickName } from './trick-names.ts';
import { billedAtto, usdOfAtto } from './simulator-prices.ts';
import type { StatsCounter } from './simulator-stats.ts';
import { isReadableUsage, isUntrueUsage, withUntrueUsage, withUntrueUsageInFrames } from './untrue-usage.ts';
import { type Court, headerOf, judge, type Verdict } from './verdict.ts';
import type { FaultName } from './simulator-config.ts';

/*
 * The life of one model call: read, judge, bill, wait, answer. The bill is written before the wait, when a provider
 * would begin to generate: a client that leaves in between has spent the money all the same, and so has one whose
 * answer is broken on purpose. If the client was gone before the end, a second line says that it saw no usage, and where
 * only what was produced is billed of a stream, how much that was.
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

/** Faults after which the client was told no usage. */
const brokenOff: ReadonlySet<FaultName> = new Set([
  'cut_stream',
  'malformed',
  'hang_billed',
  'gateway_timeout',
]);

const gatewayTimeoutPage = '<html><head><title>504 Gateway Time-out</title></head></html>';

interface Delivery {
  readonly reply: Reply;
  readonly verdict: Verdict;
  readonly answer: Answer;
}

async function answer(
  counter: Counter,
  endpoint: Endpoint,
  incoming: IncomingMessage,
  delivery: Delivery,
): Promise<void> {
  const { bill, config, stats, decoyUrl } = counter;
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
  if (verdict.fault === 'gateway_timeout') {
    if (await reply.wait(verdict.latencyMs)) reply.send(504, 'text/html', gatewayTimeoutPage);
    return;
  }
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
    await settleMissed(counter, endpoint, delivery, entry);
  }
}

/** The client left before the end of its answer. */
async function settleMissed(
  { bill, clock, config }: Counter,
  endpoint: Endpoint,
  { reply, answer: { model, tier }, answer: whole }: Delivery,
  entry: BillEntry,
): Promise<void> {
  if (config.cutStreams === 'whole' || !whole.request.stream) {
    await bill.markUnreported(entry);
    return;
  }
  const frames = endpoint.frames(whole).slice(0, reply.framesWritten);
  const tokens = producedTokens(whole.tokens, frames, config.charactersPerToken);
  await bill.shorten(entry, {
    tokens,
    costUsd: usdOfAtto(billedAtto(model, tier, tokens)),
    cutAt: clock.now().toISOString(),
  });
}

async function sendWhole(endpoint: Endpoint, { reply, verdict, answer: whole }: Delivery): Promise<void> {
  const isStillThere = await reply.wait(verdict.latencyMs);
  if (!isStillThere) return;
  const text = toldBody(JSON.stringify(endpoint.body(whole)), verdict);
  if (verdict.fault === 'cut_stream') await reply.cutJson(text);
  else reply.json(verdict.fault === 'malformed' ? text.slice(0, Math.floor(text.length * 0.6)) : text);
}

async function sendStream(
  endpoint: Endpoint,
  { reply, verdict, answer: whole }: Delivery,
  pace: Pace,
): Promise<void> {
  const frames = toldFrames(endpoint.frames(whole), verdict);
  const half = frames.slice(0, Math.max(1, Math.floor(frames.length / 2)));
  if (verdict.fault === 'cut_stream') await reply.stream(half, pace, true);
  else if (verdict.fault === 'malformed')
    await reply.stream([...half, 'data: {"id":"broken\n\n'], pace, false);
  else await reply.stream(frames, pace, false);
}

/** The answer as the client is told it, where what is said about usage is not true. */
export function toldBody(
  text: string,
  { fault, requestHash }: Pick<Verdict, 'fault' | 'requestHash'>,
): string {
  return isUntrueUsage(fault) ? withUntrueUsage(text, fault, drawOf(requestHash)) : text;
}

function toldFrames(frames: readonly string[], { fault, requestHash }: Verdict): readonly string[] {
  return isUntrueUsage(fault) ? withUntrueUsageInFrames(frames, fault, drawOf(requestHash)) : frames;
}

/** A number from 0 up to 1 that follows from the request. */
function drawOf(requestHash: string): number {
  return Number.parseInt(requestHash.slice(0, 8), 16) / 2 ** 32;
}

function entryOf(
  endpoint: Endpoint,
  { headers }: IncomingMessage,
  { reply, verdict, answer: { model, request, tier, tokens, showsUsage, at } }: Delivery,
): Omit<BillEntry, 'n'> {
  const { fault = null, trick } = verdict;
  const isBrokenOff = fault !== null && brokenOff.has(fault);
  const isUntrue = isUntrueUsage(verdict.fault) && !isReadableUsage(verdict.fault);
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
    usageReported:
      showsUsage && !isBrokenOff && !isUntrue && (trick === undefined || tellsTheTruth.has(trick.name)),
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
