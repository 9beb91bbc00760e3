import { embed, embedMany, generateObject, generateText, isStepCount, Output, streamText, tool } from 'ai';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { AbandonedCalls } from '../../src/models/abandoned-calls.ts';
import type { CallScope } from '../../src/models/call-scope.ts';
import type { ModelGateway } from '../../src/models/model-gateway.ts';
import {
  refusal,
  type Script,
  type ScriptedAnswer,
  ScriptedEmbeddingModel,
  ScriptedModel,
} from '../../src/models/scripted-model.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  type CallRow,
  type MeteredModels,
  openMeteredModels,
  someOrigin,
  sumOfLines,
} from '../support/metered-models.ts';

let models: MeteredModels;
const scopes: CallScope[] = [];

beforeAll(async () => {
  models = await openMeteredModels();
});
beforeEach(() => models.clear());
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});
afterAll(() => models.close());

const priced = 'scripted/gpt-5-mini';

/** A gateway whose one provider answers by the script. */
function scripted(script: Script, timeoutMs?: number): { model: ScriptedModel; gateway: ModelGateway } {
  const model = new ScriptedModel(script, 'gpt-5-mini');
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  return { model, gateway: models.gateway({ scripted: { kind: 'custom', model: () => model, ...limit } }) };
}

async function openScope(gateway: ModelGateway, signal?: AbortSignal): Promise<CallScope> {
  const scope = models.openScope(gateway, await models.leasedMessage(), signal);
  scopes.push(scope);
  return scope;
}

async function failureOf(work: PromiseLike<unknown>): Promise<AppError> {
  const error = await Promise.resolve(work).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

describe('a call', () => {
  it('is one row with usage, price and answer, and one usage record', async () => {
    const { gateway } = scripted([
      {
        text: 'Good morning.',
        usage: { uncachedInput: 1000, cacheRead: 200, textOutput: 30, reasoning: 70 },
      },
    ]);
    const scope = await openScope(gateway);
    const { text } = await generateText({
      model: scope.languageModel(priced, { step: 'greet' }),
      prompt: 'Hello',
    });
    expect(text).toBe('Good morning.');
    const [row, ...others] = await models.callRows();
    expect(others).toEqual([]);
    expect(row).toMatchObject({
      step: 'greet',
      ordinal: 1,
      attempt: 1,
      state: 'settled',
      outcome: 'ok',
      settlement: 'reported',
      error_type: null,
      provider: 'scripted',
      model: 'gpt-5-mini',
      upper_bound_usd: null,
      waste_reason: null,
    });
    expect(JSON.parse(row?.tokens ?? '')).toEqual({
      uncached_input: 1000,
      cache_read: 200,
      text_output: 30,
      reasoning: 70,
    });
    // 1000 × 0.25 + 200 × 0.025 + 100 × 2 per million.
    expect(usd(row?.cost_usd ?? '').equals('0.000455')).toBe(true);
    const [line, ...more] = await models.usageLines();
    expect(more).toEqual([]);
    expect(line).toMatchObject({
      record_kind: 'call',
      call_id: row?.id,
      ...someOrigin,
      step: 'greet',
      outcome: 'ok',
      settlement: 'reported',
      calls: 1,
      cost_usd: '0.000455',
      tokens_cache_read: 200,
      stage: 'first',
      trace_id: 'a'.repeat(32),
    });
    expect(formatUsd(scope.spend().costUsd)).toBe('0.000455');
    expect(scope.spend()).toMatchObject({ calls: 1, reused: 0, unpriced: 0 });
  });

  it('is reserved before the request leaves and settled before the answer is seen', async () => {
    const states: string[] = [];
    const { gateway } = scripted(async () => {
      states.push(...(await models.callRows()).map(({ state }) => state));
      return 'yes';
    });
    const scope = await openScope(gateway);
    await scope
      .languageModel(priced)
      .doGenerate({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Go' }] }] });
    states.push(...(await models.callRows()).map(({ state }) => state));
    expect(states).toEqual(['reserved', 'settled']);
  });

  it('is not made when the lease has passed on', async () => {
    const { model, gateway } = scripted(['never']);
    const message = await models.leasedMessage();
    const scope = models.openScope(gateway, message);
    scopes.push(scope);
    await models.redeliver(message);
    const error = await failureOf(generateText({ model: scope.languageModel(priced), prompt: 'Hello' }));
    expect(error.code).toBe('MILLRACE_LEASE_LOST');
    expect(model.requests).toHaveLength(0);
    expect(await models.callRows()).toEqual([]);
  });

  it('outside a stage has its origin, and rows of its own in every scope', async () => {
    const { gateway } = scripted(['one', 'two']);
    for (const expected of ['one', 'two']) {
      const scope = gateway.openScope({ origin: someOrigin, signal: new AbortController().signal });
      scopes.push(scope);
      const { text } = await generateText({ model: scope.languageModel(priced), prompt: 'Hello' });
      expect(text).toBe(expected);
    }
    expect(await models.callRows()).toMatchObject([
      { message_id: null, step: 'call', attempt: 1 },
      { message_id: null, step: 'call', attempt: 1 },
    ]);
    expect(await models.usageLines()).toMatchObject([{ ...someOrigin }, { ...someOrigin }]);
  });

  it('without a known price is kept as unpriced, never as zero, and said once', async () => {
    const { gateway } = scripted(['a', 'b']);
    const scope = await openScope(gateway);
    const model = scope.languageModel('scripted/gpt-5-mini', { step: 'priced' });
    expect(model.modelId).toBe('gpt-5-mini');
    const unknown = new ScriptedModel(
      [
        { text: 'a', modelId: 'own-model' },
        { text: 'b', modelId: 'own-model' },
      ],
      'own-model',
    );
    const other = await openScope(models.gateway({ own: { kind: 'custom', model: () => unknown } }));
    for (const prompt of ['1', '2'])
      await generateText({ model: other.languageModel('own/own-model'), prompt });
    expect(await models.callRows()).toMatchObject([
      { cost_usd: null, upper_bound_usd: null, state: 'settled' },
      { cost_usd: null, state: 'settled' },
    ]);
    const lines = await models.usageLines();
    expect(lines).toMatchObject([{ unpriced_calls: 1 }, { unpriced_calls: 1 }]);
    expect(lines[0]).not.toHaveProperty('cost_usd');
    expect(other.spend().unpriced).toBe(2);
    expect(models.logged.filter(({ message }) => message.includes('no price'))).toHaveLength(1);
  });

  it('names the configured providers when its own is unknown', async () => {
    const { gateway } = scripted([]);
    const scope = await openScope(gateway);
    expect(() => scope.languageModel('elsewhere/model')).toThrow(/configured are: scripted/);
    expect(() => scope.languageModel('gpt-5-mini')).toThrow(AppError);
  });
});

describe('an answer of an earlier run', () => {
  it('is given again without a request, as it was', async () => {
    const { model, gateway } = scripted([
      {
        content: [
          { type: 'reasoning', text: 'Hm.', providerMetadata: { x: { signature: 's' } } },
          { type: 'text', text: 'NUL \u0000 and a lone \ud800 surrogate' },
          { type: 'file', mediaType: 'image/png', data: { type: 'data', data: new Uint8Array([0, 1, 255]) } },
        ],
      },
    ]);
    const message = await models.leasedMessage();
    const ask = (scope: CallScope) => scope.languageModel(priced, { step: 's' }).doGenerate({ prompt: [] });
    const first = await ask(models.openScope(gateway, message));
    const scope = models.openScope(gateway, await models.redeliver(message));
    const again = await ask(scope);
    expect(model.requests).toHaveLength(1);
    expect(again).toEqual(first);
    expect(again.response?.timestamp).toBeInstanceOf(Date);
    expect(scope.spend()).toMatchObject({ calls: 0, reused: 1 });
    expect(await models.callRows()).toHaveLength(1);
    expect((await models.metricLines('calls_reused_total')).join()).toMatch(/stage="first".* 1$/);
  });

  it('is given as a stream when it came whole, and whole when it came as a stream', async () => {
    const { model, gateway } = scripted([
      'A whole answer.',
      { text: 'A streamed answer.', reasoning: 'Because.' },
    ]);
    const message = await models.leasedMessage();
    const one = models.openScope(gateway, message);
    await generateText({ model: one.languageModel(priced, { step: 'whole' }), prompt: '1' });
    const streamed = streamText({ model: one.languageModel(priced, { step: 'streamed' }), prompt: '2' });
    expect(await streamed.text).toBe('A streamed answer.');
    const two = models.openScope(gateway, await models.redeliver(message));
    const asStream = streamText({ model: two.languageModel(priced, { step: 'whole' }), prompt: '1' });
    expect(await asStream.text).toBe('A whole answer.');
    const whole = await generateText({ model: two.languageModel(priced, { step: 'streamed' }), prompt: '2' });
    expect(whole.text).toBe('A streamed answer.');
    expect(whole.reasoningText).toBe('Because.');
    expect(model.requests).toHaveLength(2);
    expect(two.spend()).toMatchObject({ calls: 0, reused: 2 });
  });

  it('to another question is not given: the step is called anew, and that is counted', async () => {
    const { model, gateway } = scripted(['first', 'second']);
    const message = await models.leasedMessage();
    const one = models.openScope(gateway, message);
    await generateText({ model: one.languageModel(priced, { step: 's' }), prompt: '1' });
    const two = models.openScope(gateway, await models.redeliver(message));
    const { text } = await generateText({
      model: two.languageModel(priced, { step: 's' }),
      prompt: 'another',
    });
    expect(text).toBe('second');
    expect(model.requests).toHaveLength(2);
    expect(await models.callRows()).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
    expect((await models.metricLines('step_diverged_total')).join()).toMatch(/stage="first".* 1$/);
    expect(models.logged.filter(({ message: said }) => said.includes('something else'))).toHaveLength(1);
  });

  it('is given to any question of its place when the step asks for that', async () => {
    const { model, gateway } = scripted(['first']);
    const message = await models.leasedMessage();
    const one = models.openScope(gateway, message);
    await generateText({ model: one.languageModel(priced, { step: 's' }), prompt: 'at 10:00' });
    const two = models.openScope(gateway, await models.redeliver(message));
    const { text } = await generateText({
      model: two.languageModel(priced, { step: 's', reuse: 'always' }),
      prompt: 'at 10:05',
    });
    expect(text).toBe('first');
    expect(model.requests).toHaveLength(1);
  });

  it('lies in the payload store when it is large', async () => {
    const large = 'x'.repeat(5000);
    const model = new ScriptedModel([large], 'gpt-5-mini');
    const gateway = models.gateway(
      { scripted: { kind: 'custom', model: () => model } },
      { maxInlineAnswerBytes: 1000 },
    );
    const message = await models.leasedMessage();
    await generateText({ model: models.openScope(gateway, message).languageModel(priced), prompt: '1' });
    const [row] = await models.callRows();
    expect(row?.answer).toBeNull();
    expect(row?.answer_ref).toMatch(/^sha256\//);
    const two = models.openScope(gateway, await models.redeliver(message));
    expect((await generateText({ model: two.languageModel(priced), prompt: '1' })).text).toBe(large);
    expect(model.requests).toHaveLength(1);
  });

  it('stays in the ledger when the payload store does not take it', async () => {
    const model = new ScriptedModel(['x'.repeat(5000)], 'gpt-5-mini');
    const gateway = models.gateway(
      { scripted: { kind: 'custom', model: () => model } },
      // A store whose directories were never made.
      { maxInlineAnswerBytes: 1000, payloads: new FilesPayloadStore({ directory: '/dev/null/none' }) },
    );
    const message = await models.leasedMessage();
    await generateText({ model: models.openScope(gateway, message).languageModel(priced), prompt: '1' });
    const two = models.openScope(gateway, await models.redeliver(message));
    expect((await generateText({ model: two.languageModel(priced), prompt: '1' })).text).toHaveLength(5000);
    expect(model.requests).toHaveLength(1);
    expect(models.logged).toMatchObject([{ level: 'warn', fields: { isKept: true } }]);
  });

  it('after a failed attempt is a new attempt of the same place', async () => {
    const { gateway } = scripted([{ error: refusal(500, 'broken') }, 'fine']);
    const message = await models.leasedMessage();
    await failureOf(
      generateText({ model: models.openScope(gateway, message).languageModel(priced), prompt: '1' }),
    );
    const two = models.openScope(gateway, await models.redeliver(message));
    await generateText({ model: two.languageModel(priced), prompt: '1' });
    expect(await models.callRows()).toMatchObject([
      {
        attempt: 1,
        state: 'settled',
        outcome: 'error',
        settlement: 'free',
        cost_usd: '0',
        error_type: 'server_error',
      },
      { attempt: 2, state: 'settled', outcome: 'ok' },
    ]);
  });
});

describe('several requests of one step', () => {
  const weather = {
    weather: tool({
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => Promise.resolve(`sunny in ${city}`),
    }),
  };
  const script: Script = [
    { toolCalls: [{ toolName: 'weather', input: { city: 'Rome' } }] },
    { toolCalls: [{ toolName: 'weather', input: { city: 'Oslo' } }] },
    'Sunny in both.',
  ];

  it('are calls of their own: a tool loop', async () => {
    const { model, gateway } = scripted(script);
    const message = await models.leasedMessage();
    const run = (scope: CallScope) =>
      generateText({
        model: scope.languageModel(priced, { step: 'loop' }),
        prompt: 'Weather?',
        tools: weather,
        stopWhen: isStepCount(5),
      });
    expect((await run(models.openScope(gateway, message))).text).toBe('Sunny in both.');
    expect(await models.callRows()).toMatchObject([{ ordinal: 1 }, { ordinal: 2 }, { ordinal: 3 }]);
    const two = models.openScope(gateway, await models.redeliver(message));
    expect((await run(two)).text).toBe('Sunny in both.');
    expect(model.requests).toHaveLength(3);
    expect(two.spend()).toMatchObject({ calls: 0, reused: 3 });
  });

  it('that ask the same get their own answers back, in order', async () => {
    const { gateway } = scripted(['a', 'b', 'c']);
    const message = await models.leasedMessage();
    const draw = async (scope: CallScope) => {
      const model = scope.languageModel(priced, { step: 'draft' });
      const drafts = await Promise.all([1, 2, 3].map(() => generateText({ model, prompt: 'Draft' })));
      return drafts.map(({ text }) => text);
    };
    const first = await draw(models.openScope(gateway, message));
    expect(first.toSorted()).toEqual(['a', 'b', 'c']);
    expect(await draw(models.openScope(gateway, await models.redeliver(message)))).toEqual(first);
  });

  it('may answer as objects', async () => {
    const { model, gateway } = scripted(['{"kind":"bug"}', '{"kind":"wish"}']);
    const scope = await openScope(gateway);
    const schema = z.object({ kind: z.string() });
    const { object } = await generateObject({ model: scope.languageModel(priced), schema, prompt: '1' });
    const { output } = await generateText({
      model: scope.languageModel(priced),
      output: Output.object({ schema }),
      prompt: '2',
    });
    expect([object, output]).toEqual([{ kind: 'bug' }, { kind: 'wish' }]);
    expect(model.requests).toHaveLength(2);
  });
});

describe('embeddings', () => {
  it('are one call a request, and the same vectors when they are given again', async () => {
    const model = new ScriptedEmbeddingModel({ modelId: 'text-embedding-3-small', maxEmbeddingsPerCall: 2 });
    const gateway = models.gateway({ scripted: { kind: 'custom', model: () => model } });
    const message = await models.leasedMessage();
    const run = (scope: CallScope) =>
      embedMany({
        model: scope.embeddingModel('scripted/text-embedding-3-small', { step: 'vectors' }),
        values: ['one', 'two', 'three', 'four', 'five'],
      });
    const first = await run(models.openScope(gateway, message));
    expect(await models.callRows()).toMatchObject(
      [1, 2, 3].map((ordinal) => ({
        ordinal,
        operation: 'embeddings',
        settlement: 'reported',
        outcome: 'ok',
      })),
    );
    const again = await run(models.openScope(gateway, await models.redeliver(message)));
    expect(again.embeddings).toEqual(first.embeddings);
    expect(model.requests).toHaveLength(3);
    const scope = await openScope(gateway);
    const single = await embed({
      model: scope.embeddingModel('scripted/text-embedding-3-small'),
      value: 'one',
    });
    expect(single.embedding).toEqual(first.embeddings[0]);
  });
});

describe('a request that fails', () => {
  it.each([
    [429, 'MILLRACE_MODEL_RATE_LIMITED', 'rate_limited', true],
    [500, 'MILLRACE_MODEL_SERVER_ERROR', 'server_error', true],
    [529, 'MILLRACE_MODEL_OVERLOADED', 'overloaded', true],
    [401, 'MILLRACE_MODEL_AUTHENTICATION', 'authentication', false],
    [400, 'MILLRACE_MODEL_BAD_REQUEST', 'bad_request', false],
  ] as const)(
    'with status %i is made once, is free, and is an AppError',
    async (status, code, kind, isRetryable) => {
      const { model, gateway } = scripted([{ error: refusal(status, 'no') }]);
      const scope = await openScope(gateway);
      const error = await failureOf(generateText({ model: scope.languageModel(priced), prompt: '1' }));
      expect(error).toMatchObject({ code, retryable: isRetryable });
      expect(model.requests).toHaveLength(1);
      expect(await models.callRows()).toMatchObject([
        {
          state: 'settled',
          outcome: 'error',
          settlement: 'free',
          error_type: kind,
          cost_usd: '0',
          upper_bound_usd: null,
          waste_reason: null,
        },
      ]);
      expect(await models.usageLines()).toMatchObject([
        { outcome: 'error', settlement: 'free', cost_usd: '0', calls: 1 },
      ]);
    },
  );

  it('by time-out stays unsettled, with its upper bound', async () => {
    const { gateway } = scripted([{ hang: true }], 20);
    const scope = await openScope(gateway);
    const error = await failureOf(
      generateText({ model: scope.languageModel(priced), prompt: '1', maxOutputTokens: 10 }),
    );
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_TIMEOUT', retryable: true });
    const [row] = await models.callRows();
    expect(row).toMatchObject({
      state: 'unsettled',
      outcome: 'unknown',
      settlement: 'unsettled',
      cost_usd: null,
    });
    expect(usd(row?.upper_bound_usd ?? '').greaterThan(0)).toBe(true);
    expect(await models.usageLines()).toMatchObject([
      {
        outcome: 'unsettled',
        unsettled_calls: 1,
        cost_usd: '0',
        upper_bound_usd: row?.upper_bound_usd,
        error_type: 'timeout',
      },
    ]);
    expect(scope.spend()).toMatchObject({ unsettled: 1 });
  });

  it('by the end of the lease is aborted and kept as unsettled', async () => {
    const lease = new AbortController();
    const { model, gateway } = scripted([{ hang: true }]);
    const scope = await openScope(gateway, lease.signal);
    const work = failureOf(generateText({ model: scope.languageModel(priced), prompt: '1' }));
    await expect.poll(() => model.requests.length).toBe(1);
    lease.abort(new AppError('MILLRACE_LEASE_LOST', 'gone'));
    expect(await work).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED', retryable: true });
    expect(await models.callRows()).toMatchObject([
      { state: 'unsettled', error_type: 'aborted', waste_reason: 'aborted' },
    ]);
  });

  it("by the user's own signal is aborted, too", async () => {
    const user = new AbortController();
    const { model, gateway } = scripted([{ hang: true }]);
    const scope = await openScope(gateway);
    const work = failureOf(scope.languageModel(priced).doGenerate({ prompt: [], abortSignal: user.signal }));
    await expect.poll(() => model.requests.length).toBe(1);
    user.abort();
    expect(await work).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    const late = failureOf(scope.languageModel(priced).doGenerate({ prompt: [], abortSignal: user.signal }));
    expect(await late).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    expect(await models.callRows()).toHaveLength(1);
  });

  it('with an answer that does not say its usage is counted, and keeps its upper bound', async () => {
    const { gateway } = scripted([
      { text: 'The quick brown fox jumps over the lazy dog.', usage: 'missing' },
    ]);
    const scope = await openScope(gateway);
    await generateText({
      model: scope.languageModel(priced),
      prompt: 'Write a sentence.',
      maxOutputTokens: 100,
    });
    const [row] = await models.callRows();
    expect(row).toMatchObject({ state: 'settled', outcome: 'ok', settlement: 'estimated' });
    expect(JSON.parse(row?.tokens ?? '')).toMatchObject({ text_output: 10 });
    expect(usd(row?.upper_bound_usd ?? '0').greaterThan(usd(row?.cost_usd ?? ''))).toBe(true);
    expect(await models.usageLines()).toMatchObject([{ settlement: 'estimated', estimated_calls: 1 }]);
  });
});

describe('a streamed answer', () => {
  it('is settled before its last part is seen', async () => {
    const { gateway } = scripted(['Some words that come in pieces.']);
    const scope = await openScope(gateway);
    const { stream } = await scope.languageModel(priced).doStream({ prompt: [] });
    const seen: [string, string][] = [];
    for await (const part of stream) seen.push([part.type, (await models.callRows())[0]?.state ?? '']);
    expect(seen.at(-1)).toEqual(['finish', 'settled']);
    expect(seen.slice(0, -1).every(([, state]) => state === 'reserved')).toBe(true);
    expect((await models.callRows())[0]?.first_chunk_ms).not.toBeNull();
  });

  it('that is cut fails, and is charged by what came', async () => {
    const { gateway } = scripted([{ text: 'Some words that come in pieces.', cutAfterParts: 5 }]);
    const scope = await openScope(gateway);
    const result = streamText({ model: scope.languageModel(priced), prompt: 'Go', onError: () => undefined });
    const error = await failureOf(result.text);
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_NETWORK', retryable: true });
    const [row] = await models.callRows();
    expect(row).toMatchObject({
      state: 'settled',
      outcome: 'error',
      settlement: 'estimated',
      error_type: 'stream_cut',
      waste_reason: 'failed',
      answer: null,
    });
    expect(usd(row?.cost_usd ?? '0').greaterThan(0)).toBe(true);
    expect(usd(row?.upper_bound_usd ?? '0').greaterThan(usd(row?.cost_usd ?? ''))).toBe(true);
    expect(await models.usageLines()).toMatchObject([{ is_waste: 1, waste_reason: 'failed' }]);
  });

  it('that its consumer leaves is settled as cancelled', async () => {
    const { gateway } = scripted(['Some words that come in pieces.']);
    const scope = await openScope(gateway);
    const { stream } = await scope.languageModel(priced).doStream({ prompt: [] });
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    expect(await models.callRows()).toMatchObject([
      {
        state: 'settled',
        outcome: 'cancelled',
        settlement: 'estimated',
        error_type: 'aborted',
        waste_reason: 'aborted',
      },
    ]);
  });

  it('that nobody reads is settled when its scope is closed', async () => {
    const { gateway } = scripted(['Some words.', { hang: true }]);
    const scope = await openScope(gateway);
    const { stream } = await scope.languageModel(priced).doStream({ prompt: [] });
    const forgotten = failureOf(scope.languageModel(priced).doGenerate({ prompt: [] }));
    await expect.poll(async () => (await models.callRows()).length).toBe(2);
    await scope.close();
    expect(await models.callRows()).toMatchObject([
      { state: 'settled', outcome: 'cancelled' },
      { error_type: 'aborted' },
    ]);
    expect(await forgotten).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    expect(await failureOf(stream.getReader().read())).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    await failureOf(scope.languageModel(priced).doGenerate({ prompt: [] }));
    expect(await models.callRows()).toHaveLength(2);
  });

  it('ends with the lease', async () => {
    const lease = new AbortController();
    const { gateway } = scripted(['Some words that come in pieces.']);
    const scope = await openScope(gateway, lease.signal);
    const { stream } = await scope.languageModel(priced).doStream({ prompt: [] });
    const reader = stream.getReader();
    await reader.read();
    lease.abort(new AppError('MILLRACE_LEASE_LOST', 'gone'));
    expect(await failureOf(reader.read())).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    await scope.close();
    expect(await models.callRows()).toMatchObject([{ outcome: 'cancelled', settlement: 'estimated' }]);
  });
});

describe('a call that was given up', () => {
  it('is closed by a correction when its answer comes after all', async () => {
    const message = await models.leasedMessage();
    const abandoned = new AbandonedCalls({ ledger: models.calls, clock: systemClock });
    const { gateway } = scripted(async () => {
      await models.redeliver(message);
      expect(await abandoned.settleAbandoned()).toBe(1);
      return { text: 'late', usage: { uncachedInput: 100, textOutput: 10 } };
    });
    const scope = models.openScope(gateway, message);
    const { text } = await generateText({ model: scope.languageModel(priced), prompt: '1' });
    expect(text).toBe('late');
    const [row] = await models.callRows();
    expect(row).toMatchObject({ state: 'settled', outcome: 'ok', settlement: 'reported' });
    const lines = await models.usageLines();
    expect(lines).toMatchObject([
      { record_kind: 'call', outcome: 'unsettled', calls: 1, unsettled_calls: 1, cost_usd: '0' },
      { record_kind: 'correction', outcome: 'ok', calls: 0, unsettled_calls: -1, cost_usd: row?.cost_usd },
    ]);
    expect(sumOfLines(lines, 'cost_usd').equals(row?.cost_usd ?? '')).toBe(true);
    expect(sumOfLines(lines, 'upper_bound_usd').isZero()).toBe(true);
  });
});

describe('whatever becomes of calls, and in whatever order', () => {
  const fate = fc.record({
    /** What the model does. */
    answer: fc.constantFrom('ok', 'unreported', 'unpriced', 'refused', 'broken', 'cut'),
    /** Whether the sweep gives the call up before the answer comes. */
    isGivenUp: fc.boolean(),
    isStreamed: fc.boolean(),
  });

  const answers: Readonly<Record<string, ScriptedAnswer>> = {
    ok: { text: 'Fine.', usage: { uncachedInput: 1234, cacheRead: 77, textOutput: 19, reasoning: 3 } },
    unreported: { text: 'Fine.', usage: 'missing' },
    unpriced: { text: 'Fine.', modelId: 'own-model' },
    refused: { error: refusal(429, 'too many') },
    broken: {
      error: new TypeError('terminated', {
        cause: Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }),
      }),
    },
    cut: { text: 'A text that is cut.', cutAfterParts: 4 },
  };

  it('each request has one row, and the usage records add up to the rows', async () => {
    const abandoned = new AbandonedCalls({ ledger: models.calls, clock: systemClock });
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { minLength: 1, maxLength: 6 }), async (fates) => {
        await models.clear();
        let requests = 0;
        for (const { answer, isGivenUp, isStreamed } of fates) {
          const message = await models.leasedMessage();
          const model = new ScriptedModel(
            async () => {
              if (isGivenUp) {
                await models.redeliver(message);
                expect(await abandoned.settleAbandoned()).toBe(1);
              }
              return answers[answer] ?? 'never';
            },
            answer === 'unpriced' ? 'own-model' : 'gpt-5-mini',
          );
          const gateway = models.gateway({ scripted: { kind: 'custom', model: () => model } });
          const scope = models.openScope(gateway, message);
          const used = scope.languageModel('scripted/any');
          await Promise.allSettled([
            isStreamed
              ? streamText({ model: used, prompt: 'Go' }).text
              : generateText({ model: used, prompt: 'Go' }),
          ]);
          await scope.close();
          requests += model.requests.length;
        }
        const rows = await models.callRows();
        const lines = await models.usageLines();
        const number = (column: string) => lines.reduce((sum, line) => sum + Number(line[column] ?? 0), 0);
        const count = (holds: (row: CallRow) => boolean) => rows.filter(holds).length;
        const sum = (column: 'cost_usd' | 'upper_bound_usd') =>
          sumUsd(rows.map((row) => usd(row[column] ?? '0')));
        expect(rows).toHaveLength(requests);
        expect(number('calls')).toBe(requests);
        expect(count(({ state }) => state === 'reserved')).toBe(0);
        expect(number('unsettled_calls')).toBe(count(({ state }) => state === 'unsettled'));
        expect(number('estimated_calls')).toBe(count(({ settlement }) => settlement === 'estimated'));
        expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(formatUsd(sum('cost_usd')));
        expect(formatUsd(sumOfLines(lines, 'upper_bound_usd'))).toBe(formatUsd(sum('upper_bound_usd')));
        const totals = await models.calls.totals();
        expect(formatUsd(totals.settledUsd)).toBe(formatUsd(sum('cost_usd')));
        expect(number('unpriced_calls')).toBe(
          count((row) => (row.state === 'settled' ? row.cost_usd === null : row.upper_bound_usd === null)),
        );
      }),
      { numRuns: 25 },
    );
  });
});
