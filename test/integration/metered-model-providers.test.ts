import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { embedMany, generateText, isStepCount, Output, streamText, tool } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type CallRow, failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

let models: ModelsHarness;
let simulator: Simulator;
let metered: MeteredModels;
const scopes: CallGroup[] = [];

const timeoutMs = 400;

beforeAll(async () => {
  models = await openMeteredModels();
  simulator = await startSimulator({ seed: 11, latency: { medianMs: 0 } });
  const openaiUrl = `${simulator.url}/openai/v1`;
  const reached = { apiKey: 'key', identify: true, timeoutMs };
  metered = models.metered({
    chat: { kind: 'openai', api: 'chat', baseUrl: openaiUrl, priceProvider: 'openai', ...reached },
    responses: { kind: 'openai', baseUrl: openaiUrl, priceProvider: 'openai', ...reached },
    anthropic: { kind: 'anthropic', baseUrl: `${simulator.url}/anthropic/v1`, ...reached },
    elsewhere: { kind: 'openai-compatible', baseUrl: openaiUrl, priceProvider: 'openai', ...reached },
  });
});
beforeEach(() => models.clear());
afterEach(async () => {
  simulator.setRules([]);
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});
afterAll(async () => {
  await simulator.close();
  await models.close();
});

async function openScope(): Promise<CallGroup> {
  const scope = models.openScope(metered, await models.leasedMessage());
  scopes.push(scope);
  return scope;
}

const kinds = [
  ['OpenAI chat completions', 'chat/gpt-5-mini'],
  ['OpenAI responses', 'responses/gpt-5-mini'],
  ['Anthropic messages', 'anthropic/claude-haiku-4-5'],
  ['an OpenAI-compatible endpoint', 'elsewhere/gpt-4o-mini'],
] as const;

const document = 'The licence grants every recipient permission to copy and change the software. '.repeat(
  120,
);
const prompt = `Summarise this document:\n${document}`;

/** What the simulator billed since a place in its bill. */
async function billSince(since: number) {
  return simulator.bill({ since, entries: true });
}

/** The ledger's sum of known costs, and what the rest may have cost at most. */
function sums(rows: readonly CallRow[]) {
  const amounts = (column: 'cost_usd' | 'upper_bound_usd') =>
    sumUsd(rows.map((row) => usd(row[column] ?? '0')));
  return { cost: amounts('cost_usd'), upper: amounts('upper_bound_usd') };
}

describe.each(kinds)('%s', (_name, reference) => {
  it('costs in the ledger what the provider bills, to the last digit', async () => {
    const { next } = await simulator.bill();
    const scope = await openScope();
    // Twice the same: the second is read from the provider's cache where it has one.
    for (let round = 1; round <= 2; round += 1) {
      await generateText({ model: scope.languageModel(reference, { step: 'whole' }), prompt });
      await streamText({ model: scope.languageModel(reference, { step: 'stream' }), prompt }).text;
    }
    await generateText({
      model: scope.languageModel(reference, { step: 'loop' }),
      prompt: 'Which rooms are free?',
      tools: {
        rooms: tool({ inputSchema: z.object({ floor: z.number() }), execute: () => Promise.resolve('none') }),
      },
      toolChoice: 'auto',
      stopWhen: isStepCount(3),
    });
    await generateText({
      model: scope.languageModel(reference, { step: 'object' }),
      output: Output.object({ schema: z.object({ title: z.string(), tags: z.array(z.string()) }) }),
      prompt: 'Describe the document.',
    });
    const rows = await models.callRows();
    const bill = await billSince(next);
    expect(rows.every(({ settlement }) => settlement === 'reported')).toBe(true);
    expect(rows).toHaveLength(bill.requests);
    expect(formatUsd(sums(rows).cost)).toBe(bill.totalUsd);
    const billed = new Map(bill.entries?.map((entry) => [entry.callId, entry]));
    for (const row of rows) {
      const entry = billed.get(row.id);
      expect(row).toMatchObject({
        message_id: entry?.messageId,
        step: entry?.step,
        answered_model: entry?.modelAnswered,
        provider_request_id: entry?.requestId,
      });
      const tokens = Object.entries(entry?.tokens ?? {}).filter(([, count]) => count > 0);
      expect(JSON.parse(row.tokens ?? '')).toEqual(Object.fromEntries(tokens));
      expect(row.raw_usage).not.toBeNull();
    }
  });

  it.each([
    ['rate_limit', 'MILLRACE_MODEL_RATE_LIMITED', true],
    ['server_error', 'MILLRACE_MODEL_SERVER_ERROR', true],
    ['overloaded', 'MILLRACE_MODEL_OVERLOADED', true],
    ['auth', 'MILLRACE_MODEL_AUTHENTICATION', false],
    ['content_policy', 'MILLRACE_MODEL_CONTENT_POLICY', false],
    ['context_too_long', 'MILLRACE_MODEL_CONTEXT_TOO_LONG', false],
  ] as const)('refused (%s) is free and asked once, streamed or not', async (fault, code, isRetryable) => {
    simulator.setRules([{ fault, retryAfterMs: 3000 }]);
    const { next } = await simulator.bill();
    const scope = await openScope();
    const model = scope.languageModel(reference);
    const whole = await failureOf(generateText({ model, prompt }));
    const streamed = await failureOf(streamText({ model, prompt, onError: () => undefined }).text);
    for (const error of [whole, streamed]) expect(error).toMatchObject({ code, retryable: isRetryable });
    if (fault === 'rate_limit') expect(whole.retryAfterMs).toBe(3000);
    expect((await billSince(next)).requests).toBe(0);
    expect(simulator.rules()[0]?.struck).toBe(2);
    const free = { state: 'settled', outcome: 'error', settlement: 'free', cost_usd: '0' };
    expect(await models.callRows()).toMatchObject([free, free]);
  });

  it.each(['hang', 'hang_billed', 'gateway_timeout', 'malformed', 'cut_stream', 'missing_usage'] as const)(
    'with a fault that hides the cost (%s): the bill lies between the ledger’s bounds',
    async (fault) => {
      simulator.setRules([{ fault }]);
      const { next } = await simulator.bill();
      const scope = await openScope();
      const model = scope.languageModel(reference);
      const short = { prompt: 'Summarise: the cat sat on the mat.', maxOutputTokens: 400 };
      await Promise.allSettled([
        generateText({ model, ...short }),
        streamText({ model, ...short, onError: () => undefined }).text,
      ]);
      const rows = await models.callRows();
      expect(rows).toHaveLength(2);
      expect(rows.every(({ state }) => state !== 'reserved')).toBe(true);
      const bill = usd((await billSince(next)).totalUsd);
      const { upper } = sums(rows);
      const known = sumUsd(
        rows.filter(({ settlement }) => settlement === 'reported').map((row) => usd(row.cost_usd ?? '0')),
      );
      expect(bill.greaterThanOrEqualTo(known)).toBe(true);
      expect(known.plus(upper).greaterThanOrEqualTo(bill)).toBe(true);
      const open = rows.filter(({ settlement }) => settlement === 'estimated' || settlement === 'unsettled');
      for (const row of open) expect(usd(row.upper_bound_usd ?? '0').greaterThan(0)).toBe(true);
    },
  );

  it.each(['empty', 'nul_text'] as const)('with a strange answer (%s) is paid for in full', async (fault) => {
    simulator.setRules([{ fault }]);
    const { next } = await simulator.bill();
    const scope = await openScope();
    const asked = generateText({ model: scope.languageModel(reference), prompt });
    if (fault === 'empty') expect(await failureOf(asked)).toMatchObject({ code: 'MILLRACE_OUTPUT_INVALID' });
    else expect((await asked).text).toContain('\u0000');
    const rows = await models.callRows();
    const waste = fault === 'empty' ? 'invalid_output' : null;
    expect(rows).toMatchObject([
      { state: 'settled', outcome: 'ok', settlement: 'reported', waste_reason: waste },
    ]);
    expect(formatUsd(sums(rows).cost)).toBe((await billSince(next)).totalUsd);
  });
});

describe('what only one provider has', () => {
  it('Anthropic: cache writes of both lifetimes, and thinking', async () => {
    const { next } = await simulator.bill();
    const scope = await openScope();
    const model = scope.languageModel('anthropic/claude-sonnet-4-5');
    const cached = (ttl: '5m' | '1h') => ({ anthropic: { cacheControl: { type: 'ephemeral', ttl } } });
    for (let round = 1; round <= 6; round += 1) {
      for (const ttl of ['5m', '1h'] as const) {
        const text = `${round} ${ttl} ${document.repeat(3)}`;
        await generateText({
          model,
          messages: [{ role: 'user', content: [{ type: 'text', text, providerOptions: cached(ttl) }] }],
          maxOutputTokens: 2000,
          providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } },
        });
      }
    }
    const rows = await models.callRows();
    const bill = await billSince(next);
    expect(formatUsd(sums(rows).cost)).toBe(bill.totalUsd);
    const used = new Set(rows.flatMap(({ tokens }) => Object.keys(JSON.parse(tokens ?? '{}') as object)));
    expect([...used]).toEqual(
      expect.arrayContaining(['cache_write_5m', 'cache_write_1h', 'cache_read', 'text_output']),
    );
  });

  it('Anthropic: a stream that is cut still has said its input', async () => {
    simulator.setRules([{ fault: 'cut_stream' }]);
    const { next } = await simulator.bill();
    const scope = await openScope();
    await failureOf(streamText({ model: scope.languageModel('anthropic/claude-haiku-4-5'), prompt }).text);
    const [row] = await models.callRows();
    const [entry] = (await billSince(next)).entries ?? [];
    expect(row).toMatchObject({ outcome: 'error', settlement: 'estimated', error_type: 'stream_cut' });
    expect(JSON.parse(row?.tokens ?? '')).toMatchObject({ uncached_input: entry?.tokens.uncached_input });
  });

  it.each(['flex', 'priority'])('OpenAI: the %s tier, whole and streamed', async (serviceTier) => {
    const { next } = await simulator.bill();
    const scope = await openScope();
    const providerOptions = { openai: { serviceTier } };
    for (const reference of ['chat/gpt-5-mini', 'responses/gpt-5-mini']) {
      const model = scope.languageModel(reference);
      await generateText({ model, prompt, providerOptions });
      await streamText({ model, prompt, providerOptions }).text;
    }
    const rows = await models.callRows();
    expect(rows.map(({ tier }) => tier)).toEqual(Array(4).fill(serviceTier));
    expect(formatUsd(sums(rows).cost)).toBe((await billSince(next)).totalUsd);
  });
});

describe('embeddings', () => {
  it.each(['chat/text-embedding-3-small', 'elsewhere/text-embedding-3-small'])(
    'of %s cost what is billed, and come back bit by bit',
    async (reference) => {
      const { next } = await simulator.bill();
      const message = await models.leasedMessage();
      const values = ['one', 'two', 'three'];
      const run = (scope: CallGroup) => embedMany({ model: scope.embeddingModel(reference), values });
      const first = await run(models.openScope(metered, message));
      const again = await run(models.openScope(metered, await models.redeliver(message)));
      expect(again.embeddings).toEqual(first.embeddings);
      const bill = await billSince(next);
      expect(bill.requests).toBe(1);
      expect(formatUsd(sums(await models.callRows()).cost)).toBe(bill.totalUsd);
    },
  );
});

describe('a provider that cannot be reached', () => {
  let server: Server | undefined;
  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    server = undefined;
  });

  it('never got the request: the call is free', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const unreachable = models.metered({
      openai: { kind: 'openai', api: 'chat', baseUrl: `http://127.0.0.1:${port}/v1` },
    });
    const scope = models.openScope(unreachable, await models.leasedMessage());
    scopes.push(scope);
    const error = await failureOf(generateText({ model: scope.languageModel('openai/gpt-5-mini'), prompt }));
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_NETWORK', retryable: true });
    expect(await models.callRows()).toMatchObject([
      { settlement: 'free', error_type: 'network', cost_usd: '0' },
    ]);
  });

  it('that hangs up on the request may have billed it: the call is unsettled', async () => {
    let requests = 0;
    server = createServer((request) => {
      requests += 1;
      request.socket.destroy();
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const broken = models.metered({
      openai: { kind: 'openai', api: 'chat', baseUrl: `http://127.0.0.1:${port}/v1` },
    });
    const scope = models.openScope(broken, await models.leasedMessage());
    scopes.push(scope);
    const error = await failureOf(generateText({ model: scope.languageModel('openai/gpt-5-mini'), prompt }));
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_NETWORK', retryable: true });
    expect(requests).toBe(1);
    expect(await models.callRows()).toMatchObject([{ state: 'unsettled', error_type: 'network' }]);
  });

  it('that answers 500 is asked exactly once, whatever the SDK would do', async () => {
    let requests = 0;
    server = createServer((request, response) => {
      requests += 1;
      request.resume();
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end('{"error":{"message":"broken","type":"server_error"}}');
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const baseUrl = `http://127.0.0.1:${port}/v1`;
    const failing = models.metered({
      openai: { kind: 'openai', api: 'chat', baseUrl },
      anthropic: { kind: 'anthropic', baseUrl },
    });
    const scope = models.openScope(failing, await models.leasedMessage());
    scopes.push(scope);
    for (const reference of ['openai/gpt-5-mini', 'anthropic/claude-haiku-4-5']) {
      const model = scope.languageModel(reference);
      requests = 0;
      await failureOf(generateText({ model, prompt }));
      expect(requests).toBe(1);
      await failureOf(streamText({ model, prompt }).text);
      expect(requests).toBe(2);
      const words = streamText({ model, prompt }).textStream;
      await failureOf(words.getReader().read());
      expect(requests).toBe(3);
    }
  });
});
