import { createHash } from 'node:crypto';
import { ownTurn } from '../../kernel/event-loop-turn.ts';
import { anthropicMessages } from '../anthropic-messages.ts';
import type { Bill, BillEntry } from '../bill.ts';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import { toldBody } from '../model-call.ts';
import { refusalBody, refusalsOf } from '../provider-errors.ts';
import { batchTier, billedAtto, usdOfAtto } from '../simulator-prices.ts';
import { isReadableUsage, isUntrueUsage } from '../untrue-usage.ts';
import { type Court, judgeBatched, type Verdict } from '../verdict.ts';
import type { BatchBook, KnownBatch } from './batch-book.ts';
import { itemDoneMs } from './batch-course.ts';
import { batchEndpoints, type BatchItem, readItems } from './batch-items.ts';
import type { BatchEnd, BatchFaults, BatchRecord } from './batch-records.ts';
import { type ItemOutcome, resultLine } from './result-lines.ts';

/*
 * The end of a batch: every item that was done in time is answered and billed, the results are written, and then the end
 * is noted. A simulator that dies before that does it again from the start; what was billed is not billed twice.
 */

/** What ending a batch needs. */
export interface BatchWorld {
  readonly court: Court;
  readonly bill: Bill;
  readonly book: BatchBook;
}

/** Items are answered this many at a time, with a turn of the event loop in between. */
const itemsPerTurn = 200;

export async function endBatch(
  world: BatchWorld,
  { record }: KnownBatch,
  { atMs, how }: { atMs: number; how: BatchEnd['how'] },
): Promise<void> {
  const results = new Results();
  if (how !== 'failed') await answerItems(world, record, { atMs, how, results });
  const { seed } = world.court.config;
  const files = results.files(record, seed);
  const output = await addResults(world.book, record, 'output', files.output, atMs);
  const errors = await addResults(world.book, record, 'error', files.error, atMs);
  await world.book.record({
    ended: { id: record.id, atMs, how, ...results.counts, outputFileId: output, errorFileId: errors },
  });
}

interface Ending {
  readonly atMs: number;
  readonly how: BatchEnd['how'];
  readonly results: Results;
}

async function answerItems(
  { court, bill, book }: BatchWorld,
  record: BatchRecord,
  { atMs, how, results }: Ending,
): Promise<void> {
  const endpoint = endpointOf(record);
  const items = readItems(await book.content(record.inputFileId), record.provider);
  const billed = bill.billedBefore(record.id);
  let entries: Promise<unknown>[] = [];
  for (const [index, item] of items.entries()) {
    if (index % itemsPerTurn === itemsPerTurn - 1) {
      await Promise.all(entries);
      entries = [];
      await ownTurn();
    }
    const doneMs = itemDoneMs(court.config.seed, record, item.customId);
    const answered =
      doneMs > atMs
        ? { outcome: { kind: how === 'expired' ? ('expired' as const) : ('cancelled' as const) } }
        : answerItem(court, record, endpoint, { item, doneMs });
    const isDelivered = results.add(record, court.config.seed, item.customId, answered.outcome);
    const { entry } = answered;
    if (entry === undefined || billed.has(item.customId)) continue;
    entries.push(bill.add({ ...entry, usageReported: entry.usageReported && isDelivered }));
  }
  await Promise.all(entries);
}

interface Answered {
  readonly outcome: ItemOutcome;
  readonly entry?: Omit<BillEntry, 'n'>;
}

function answerItem(
  court: Court,
  record: BatchRecord,
  endpoint: Endpoint,
  { item, doneMs }: { readonly item: BatchItem; readonly doneMs: number },
): Answered {
  const { faults } = record;
  const { seed } = court.config;
  const answerId = shortHash(record.id, item.customId);
  const requestId = `req_${answerId}`;
  if (isEveryItemFailed(faults) || isHit(record, seed, item.customId, 'fail_items')) {
    const body = refusalBody(endpoint.provider, refusalsOf[endpoint.provider].serverError(), requestId);
    return { outcome: { kind: 'failed', status: 500, requestId, body } };
  }
  if (isHit(record, seed, item.customId, 'status_zero')) {
    return { outcome: { kind: 'zero', requestId } };
  }
  // The attempt's number makes the draws of faults the same after a restart.
  const headers = { 'x-millrace-attempt': String(record.number) };
  const clock = { ...court.clock, now: () => new Date(doneMs) };
  const verdict = judgeBatched({ ...court, clock }, { endpoint, headers, answerId }, item.body);
  const { answer } = verdict;
  if (answer === undefined) {
    const refusal = verdict.refusal ?? refusalsOf[endpoint.provider].serverError();
    const body = refusalBody(endpoint.provider, refusal, requestId);
    return { outcome: { kind: 'failed', status: refusal.status, requestId, body } };
  }
  const told = endpoint.provider === 'anthropic' ? { ...answer, tier: batchTier } : answer;
  const { tokens } = answer;
  return {
    outcome: {
      kind: 'succeeded',
      requestId,
      bodyText: toldBody(JSON.stringify(endpoint.body(told)), verdict),
      inputTokens: tokens.uncached_input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h,
      outputTokens: tokens.text_output + tokens.reasoning,
    },
    entry: entryOf(endpoint, verdict, { record, item, requestId, answer }),
  };
}

interface BilledItem {
  readonly record: BatchRecord;
  readonly item: BatchItem;
  readonly requestId: string;
  readonly answer: NonNullable<Verdict['answer']>;
}

function entryOf(
  endpoint: Endpoint,
  { fault, requestHash }: Verdict,
  { record, item, requestId, answer: { model, request, tokens, showsUsage, at } }: BilledItem,
): Omit<BillEntry, 'n'> {
  const isUntrue = isUntrueUsage(fault) && !isReadableUsage(fault);
  return {
    requestId,
    at: at.toISOString(),
    provider: endpoint.provider,
    endpoint: endpoint.name,
    modelAsked: request.model,
    modelAnswered: model.answeredId,
    tier: batchTier,
    tokens,
    costUsd: usdOfAtto(billedAtto(model, batchTier, tokens)),
    usageReported: showsUsage && !isUntrue && !isLeftOut(record.faults),
    fault: fault ?? null,
    requestHash,
    callId: null,
    messageId: null,
    step: null,
    batch: { id: record.id, customId: item.customId },
  };
}

/** The lines of a batch's results, and what they add up to. */
class Results {
  readonly #output: string[] = [];
  readonly #error: string[] = [];
  readonly counts = { succeeded: 0, failed: 0, cancelled: 0, expired: 0, inputTokens: 0, outputTokens: 0 };

  /** Takes an item's outcome. Says whether its line is there to be read. */
  add(record: BatchRecord, seed: number, customId: string, outcome: ItemOutcome): boolean {
    this.#count(outcome);
    if (isHit(record, seed, customId, 'lose_lines')) return false;
    const { line, isError } = resultLine(record.provider, customId, outcome);
    const lines = isError ? this.#error : this.#output;
    if (isHit(record, seed, customId, 'break_lines')) {
      lines.push(line.slice(0, Math.floor(line.length * 0.6)));
      return false;
    }
    lines.push(line);
    if (isHit(record, seed, customId, 'repeat_lines')) lines.push(line);
    return true;
  }

  /** What the files hold, in an order of their own; undefined for a file that there is not. */
  files(record: BatchRecord, seed: number): { output: string | undefined; error: string | undefined } {
    const { faults } = record;
    if (faults.foreign_line !== undefined) {
      const outcome: ItemOutcome = { kind: 'cancelled' };
      this.#output.push(resultLine(record.provider, 'nobody-sent-this', outcome).line);
    }
    const random = new Draws(seed, record.number).stream('order');
    const written = (lines: string[]): string | undefined =>
      lines.length === 0 ? undefined : `${shuffled(lines, random).join('\n')}\n`;
    if (faults.output_empty !== undefined) return { output: '', error: written(this.#error) };
    if (faults.output_lost !== undefined) return { output: undefined, error: undefined };
    // Anthropic's results are there even when there are none.
    const output = written(this.#output) ?? (record.provider === 'anthropic' ? '' : undefined);
    return { output, error: written(this.#error) };
  }

  #count(outcome: ItemOutcome): void {
    if (outcome.kind === 'zero') {
      this.counts.succeeded += 1;
      return;
    }
    this.counts[outcome.kind] += 1;
    if (outcome.kind !== 'succeeded') return;
    this.counts.inputTokens += outcome.inputTokens;
    this.counts.outputTokens += outcome.outputTokens;
  }
}

async function addResults(
  book: BatchBook,
  { id, provider }: BatchRecord,
  what: 'output' | 'error',
  text: string | undefined,
  atMs: number,
): Promise<string | null> {
  if (text === undefined) return null;
  const content = Buffer.from(text);
  const file = {
    id: `file-${shortHash(id, what)}`,
    filename: `${id}_${what}.jsonl`,
    // What belongs to Anthropic's batches is no file of its users.
    purpose: provider === 'openai' ? 'batch_output' : internalPurpose,
    bytes: content.length,
    createdMs: atMs,
  };
  await book.addFile(file, content);
  return file.id;
}

/** The purpose of files that nobody can list. */
export const internalPurpose = 'internal';

function endpointOf({ provider, endpoint }: BatchRecord): Endpoint {
  return provider === 'anthropic' ? anthropicMessages : (batchEndpoints.get(endpoint) ?? anthropicMessages);
}

function isEveryItemFailed(faults: BatchFaults): boolean {
  return (
    faults.output_null !== undefined ||
    faults.output_absent !== undefined ||
    faults.output_blank !== undefined
  );
}

/** Whether the results are never shown. */
function isLeftOut(faults: BatchFaults): boolean {
  return faults.output_lost !== undefined || faults.output_empty !== undefined || faults.lose !== undefined;
}

function isHit(
  { number, faults }: BatchRecord,
  seed: number,
  customId: string,
  fault: keyof BatchFaults,
): boolean {
  const hit = faults[fault];
  return hit !== undefined && new Draws(seed, number, customId).stream(fault)() < hit.share;
}

function shuffled(lines: readonly string[], random: () => number): string[] {
  const keyed = lines.map((line) => ({ line, key: random() }));
  return keyed.toSorted((left, right) => left.key - right.key).map(({ line }) => line);
}

function shortHash(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 24);
}
