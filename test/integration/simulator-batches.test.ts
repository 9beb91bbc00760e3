import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { BatchRuleInput } from '../../src/simulator/batches/batch-config.ts';
import { attoOfUsd } from '../../src/simulator/simulator-prices.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { billedItems, countOf } from '../support/simulated-batches.ts';

/*
 * The simulator's batches as the providers' own SDKs see them. Batches last an hour of its clock, which tests set.
 */

const hourMs = 3_600_000;
let aheadMs = 0;
const clock = { ...systemClock, now: () => new Date(Date.now() + aheadMs) };
const options = { seed: 7, clock, latency: { medianMs: 0 }, batches: { durationMs: hourMs } } as const;

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator(options);
});
afterEach(() => {
  simulator.setBatchRules([]);
  simulator.setRules([]);
});
afterAll(() => simulator.close());

const openai = (at = simulator) =>
  new OpenAI({ baseURL: `${at.url}/openai/v1`, apiKey: 'test-key', maxRetries: 0 });

const chatBody = (index: number) => ({
  model: 'gpt-5-mini',
  messages: [{ role: 'user', content: `What is item ${index}?` }],
});

const lines = (count: number, url = '/v1/chat/completions', body: (index: number) => object = chatBody) =>
  Array.from({ length: count }, (_, index) =>
    JSON.stringify({ custom_id: `item-${index}`, method: 'POST', url, body: body(index) }),
  ).join('\n');

async function upload(text: string, client = openai()) {
  return await client.files.create({ purpose: 'batch', file: await toFile(Buffer.from(text), 'in.jsonl') });
}

type OpenAiEndpoint = OpenAI.BatchCreateParams['endpoint'];

async function submit(text: string, endpoint: OpenAiEndpoint = '/v1/chat/completions') {
  const file = await upload(text);
  return await openai().batches.create({
    input_file_id: file.id,
    endpoint,
    completion_window: '24h',
    metadata: { mark: 'of ours' },
  });
}

interface ResultLine {
  readonly custom_id: string;
  readonly response: { readonly status_code: number; readonly body: { readonly usage?: Usage } } | null;
  readonly error: { readonly code: string } | null;
}
interface Usage {
  readonly prompt_tokens?: number;
  readonly input_tokens?: number;
}

async function readLines(fileId: string | null | undefined): Promise<ResultLine[]> {
  if ((fileId ?? '') === '') return [];
  const text = await (await openai().files.content(fileId ?? '')).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine);
}

const billed = (batchId: string, at = simulator) => billedItems(at, batchId);

const rule = (fault: BatchRuleInput['fault'], more: Partial<BatchRuleInput> = {}): void =>
  simulator.setBatchRules([{ fault, ...more }]);

describe("OpenAI's batches", () => {
  it.each([
    ['/v1/chat/completions', chatBody],
    ['/v1/responses', (index: number) => ({ model: 'gpt-5-nano', input: `Item ${index}` })],
    ['/v1/embeddings', (index: number) => ({ model: 'text-embedding-3-small', input: [`Item ${index}`] })],
  ] as const)('answer requests to %s, unordered, at half the price', async (endpoint, body) => {
    const created = await submit(lines(20, endpoint, body), endpoint);
    expect(created).toMatchObject({ status: 'validating', metadata: { mark: 'of ours' } });
    aheadMs += hourMs / 2;
    expect((await openai().batches.retrieve(created.id)).status).toBe('in_progress');
    expect(await billed(created.id)).toEqual([]);
    aheadMs += hourMs / 2;
    const ended = await openai().batches.retrieve(created.id);
    expect(ended).toMatchObject({
      status: 'completed',
      request_counts: { total: 20, completed: 20, failed: 0 },
    });
    const results = await readLines(ended.output_file_id);
    const ids = results.map(({ custom_id: id }) => id);
    expect(ids.toSorted()).toEqual(Array.from({ length: 20 }, (_, index) => `item-${index}`).toSorted());
    expect(ids).not.toEqual(ids.toSorted());

    const entries = await billed(created.id);
    expect(entries).toHaveLength(20);
    const inputTokens = (usage: Usage = {}) => usage.prompt_tokens ?? usage.input_tokens ?? 0;
    const told = results.reduce((sum, { response }) => sum + inputTokens(response?.body.usage), 0);
    expect(told).toBe(ended.usage?.input_tokens);
    expect(told).toBe(
      entries.reduce((sum, { tokens }) => sum + tokens.uncached_input + tokens.cache_read, 0),
    );
    expect(new Set(entries.map(({ tier }) => tier))).toEqual(new Set(['batch']));
  });

  it('cost half of what the same requests cost one by one', async () => {
    const body = { ...chatBody(1), model: 'gpt-4o-mini' };
    const batch = await submit(lines(1, '/v1/chat/completions', () => body));
    aheadMs += hourMs;
    const [inBatch] = await billed(batch.id);
    const { next } = await simulator.bill();
    await openai().chat.completions.create(body as OpenAI.ChatCompletionCreateParamsNonStreaming);
    const alone = (await simulator.bill({ since: next, entries: true })).entries?.[0];
    // What is answered depends on the attempt; the price does not.
    const { uncached_input, text_output } = inBatch?.tokens ?? { uncached_input: 0, text_output: 0 };
    const rate = BigInt(uncached_input) * 75_000_000_000n + BigInt(text_output) * 300_000_000_000n;
    expect(attoOfUsd(inBatch?.costUsd ?? '0')).toBe(rate);
    expect(alone?.tokens.uncached_input).toBe(uncached_input);
  });

  it('list, and remove, files and batches, newest first', async () => {
    const file = await upload(lines(1));
    const batches = [];
    for (let index = 0; index < 3; index += 1) batches.push(await submit(lines(1)));
    const listed: string[] = [];
    for await (const batch of openai().batches.list({ limit: 2 })) listed.push(batch.id);
    expect(listed.slice(0, 3)).toEqual(batches.map(({ id }) => id).toReversed());
    const names: string[] = [];
    for await (const each of openai().files.list({ purpose: 'batch' })) names.push(each.id);
    expect(names).toContain(file.id);
    expect(await (await openai().files.content(file.id)).text()).toBe(lines(1));
    expect(await openai().files.delete(file.id)).toMatchObject({ deleted: true });
    await expect(openai().files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
  });

  it('expire with what is done delivered and billed, and the rest in the file of errors', async () => {
    rule('slow', { delayMs: 47 * hourMs });
    const batch = await submit(lines(60));
    aheadMs += 25 * hourMs;
    const ended = await openai().batches.retrieve(batch.id);
    expect(ended.status).toBe('expired');
    const done = await readLines(ended.output_file_id);
    const rest = await readLines(ended.error_file_id);
    expect(done.length).toBeGreaterThan(10);
    expect(rest.length).toBeGreaterThan(10);
    expect(done.length + rest.length).toBe(60);
    expect(new Set(rest.map(({ error }) => error?.code))).toEqual(new Set(['batch_expired']));
    expect(await billed(batch.id)).toHaveLength(done.length);
  });

  it('bill what was done before they were cancelled', async () => {
    const batch = await submit(lines(60));
    aheadMs += hourMs / 2;
    expect(['cancelling', 'cancelled']).toContain((await openai().batches.cancel(batch.id)).status);
    const ended = await openai().batches.retrieve(batch.id);
    expect(ended.status).toBe('cancelled');
    const done = await readLines(ended.output_file_id);
    expect(done.length).toBeGreaterThan(10);
    expect(done.length).toBeLessThan(50);
    expect(await billed(batch.id)).toHaveLength(done.length);
  });

  it.each([
    ['an empty file', '\n', 'empty_file'],
    ['a line that is no JSON', `${lines(2)}\n{"custom_id":`, 'invalid_json_line'],
    [
      'two models',
      `${lines(1)}\n${lines(2, '/v1/chat/completions', (index) => ({ ...chatBody(index), model: 'gpt-5' })).split('\n')[1]}`,
      'model_mismatch',
    ],
    ['one id twice', `${lines(1)}\n${lines(1)}`, 'duplicate_custom_id'],
    ['another address', lines(1, '/v1/responses'), 'url_mismatch'],
  ])('fail late for %s, without a bill', async (_name, text, code) => {
    const batch = await submit(text);
    expect(batch).toMatchObject({ status: 'validating', errors: null });
    aheadMs += hourMs;
    const ended = await openai().batches.retrieve(batch.id);
    expect(ended).toMatchObject({ status: 'failed', errors: { data: [{ code }] }, output_file_id: null });
    expect(await billed(batch.id)).toEqual([]);
  });

  it('fail late beyond the limit of enqueued tokens', async () => {
    const limited = await startSimulator({ ...options, batches: { enqueuedTokens: { '*': 30 } } });
    const file = await upload(lines(20), openai(limited));
    const create = {
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    } as const;
    const { id } = await openai(limited).batches.create(create);
    const ended = await openai(limited).batches.retrieve(id);
    await limited.close();
    expect(ended).toMatchObject({ status: 'failed', errors: { data: [{ code: 'token_limit_exceeded' }] } });
  });

  it.each([
    ['output_null', null],
    ['output_absent', undefined],
    ['output_blank', ''],
  ] as const)('complete with every item failed and an output file that is %s', async (fault, id) => {
    rule(fault);
    const batch = await submit(lines(3));
    aheadMs += hourMs;
    const ended = await openai().batches.retrieve(batch.id);
    expect(ended.status).toBe('completed');
    expect(ended.output_file_id).toBe(id);
    expect((await readLines(ended.error_file_id)).map(({ response }) => response?.status_code)).toEqual([
      500, 500, 500,
    ]);
    expect(await billed(batch.id)).toEqual([]);
  });

  it('are billed when their results are lost, and when they are lost themselves', async () => {
    rule('output_lost');
    const resultless = await submit(lines(3));
    rule('lose');
    const lost = await submit(lines(3));
    aheadMs += hourMs;
    const ended = await openai().batches.retrieve(resultless.id);
    expect([ended.status, ended.output_file_id, ended.error_file_id]).toEqual(['completed', null, null]);
    await expect(openai().batches.retrieve(lost.id)).rejects.toMatchObject({ status: 404 });
    for (const { id } of [resultless, lost]) {
      const entries = await billed(id);
      expect(entries).toHaveLength(3);
      expect(entries.every(({ usageReported }) => !usageReported)).toBe(true);
    }
  });

  it('were accepted although the answer was a server error or none at all', async () => {
    for (const fault of [
      'create_error_after',
      'create_cut_after',
      'upload_error_after',
      'upload_cut_after',
    ] as const) {
      const before = await countOf(openai().batches.list());
      const files = await countOf(openai().files.list());
      rule(fault);
      await expect(submit(lines(1))).rejects.toBeInstanceOf(OpenAI.APIError);
      const isCreate = fault.startsWith('create');
      expect(await countOf(openai().batches.list())).toBe(before + (isCreate ? 1 : 0));
      expect(await countOf(openai().files.list())).toBe(files + 1);
    }
  });

  it('lie in their counts and sums, and leave out, repeat and break lines, without the bill changing', async () => {
    simulator.setBatchRules([
      { fault: 'lie_counts' },
      { fault: 'lie_usage' },
      { fault: 'lose_lines', share: 0.2 },
      { fault: 'repeat_lines', share: 0.2 },
      { fault: 'foreign_line' },
      { fault: 'status_zero', share: 0.1 },
    ]);
    const batch = await submit(lines(50));
    aheadMs += hourMs;
    const ended = await openai().batches.retrieve(batch.id);
    expect(ended.request_counts).toEqual({ total: 51, completed: 51, failed: 0 });
    const entries = await billed(batch.id);
    const tokens = entries.reduce((sum, entry) => sum + entry.tokens.uncached_input, 0);
    expect(ended.usage?.input_tokens).toBe(tokens + 1000);
    const results = await readLines(ended.output_file_id);
    const ids = results.map(({ custom_id: id }) => id);
    expect(new Set(ids).size).toBeLessThan(50);
    expect(new Set(ids).size).toBeLessThan(ids.length);
    expect(ids).toContain('nobody-sent-this');
    expect(results.some(({ response }) => response?.status_code === 0)).toBe(true);
    expect(entries.length).toBeGreaterThan(35);
  });

  it('break off a download', async () => {
    const batch = await submit(lines(30));
    aheadMs += hourMs;
    const { output_file_id: id } = await openai().batches.retrieve(batch.id);
    rule('cut_download', { times: 1 });
    await expect(readLines(id)).rejects.toThrow();
    expect(await readLines(id)).toHaveLength(30);
  });
});

it('goes on with files, batches and bill where it was, when it is started again', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'simulator-batches-'));
  try {
    const first = await startSimulator({ ...options, dataDirectory });
    const file = await upload(lines(40), openai(first));
    const create = {
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    } as const;
    const { id } = await openai(first).batches.create(create);
    await first.close();

    aheadMs += hourMs;
    const second = await startSimulator({ ...options, dataDirectory });
    const ended = await openai(second).batches.retrieve(id);
    const text = await (await openai(second).files.content(ended.output_file_id ?? '')).text();
    const bill = await second.bill();
    await second.close();

    const third = await startSimulator({ ...options, dataDirectory });
    expect(await openai(third).batches.retrieve(id)).toEqual(ended);
    expect(await (await openai(third).files.content(ended.output_file_id ?? '')).text()).toBe(text);
    expect((await third.bill()).totalUsd).toBe(bill.totalUsd);
    expect(await billed(id, third)).toHaveLength(40);
    await third.close();

    // Died after it had billed and before it had noted the end.
    const log = join(dataDirectory, 'batches.jsonl');
    const kept = (await readFile(log, 'utf8')).split('\n').filter((line) => !line.startsWith('{"ended"'));
    await writeFile(log, kept.join('\n'));
    const fourth = await startSimulator({ ...options, dataDirectory });
    expect((await openai(fourth).batches.retrieve(id)).output_file_id).toBe(ended.output_file_id);
    expect((await fourth.bill()).totalUsd).toBe(bill.totalUsd);
    await fourth.close();
  } finally {
    await rm(dataDirectory, { recursive: true });
  }
});
