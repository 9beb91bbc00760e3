import { SpanKind } from '@opentelemetry/api';
import { generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/app-error.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import { refusal, ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { RecordedSpan } from '../../src/telemetry/recorded-span.ts';
import { SpanTracer } from '../../src/telemetry/span-tracer.ts';
import { failureOf, type ModelsHarness, openMeteredModels, someOrigin } from '../support/models-harness.ts';

let models: ModelsHarness;
const scopes: CallGroup[] = [];

beforeAll(async () => {
  models = await openMeteredModels();
});
beforeEach(() => models.clear());
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});
afterAll(() => models.close());

const priced = 'scripted/gpt-5-mini';

async function openScope(metered: MeteredModels, signal?: AbortSignal): Promise<CallGroup> {
  const scope = models.openScope(metered, await models.leasedMessage(), signal);
  scopes.push(scope);
  return scope;
}

describe('a call', () => {
  it('is one row with usage, price and answer, and one usage record', async () => {
    const { metered } = models.scripted([
      {
        text: 'Good morning.',
        usage: { uncachedInput: 1000, cacheRead: 200, textOutput: 30, reasoning: 70 },
      },
    ]);
    const scope = await openScope(metered);
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
    const { metered } = models.scripted(async () => {
      states.push(...(await models.callRows()).map(({ state }) => state));
      return 'yes';
    });
    const scope = await openScope(metered);
    await scope
      .languageModel(priced)
      .doGenerate({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Go' }] }] });
    states.push(...(await models.callRows()).map(({ state }) => state));
    expect(states).toEqual(['reserved', 'settled']);
  });

  it('is not made when the lease has passed on', async () => {
    const { model, metered } = models.scripted(['never']);
    const message = await models.leasedMessage();
    const scope = models.openScope(metered, message);
    scopes.push(scope);
    await models.redeliver(message);
    const error = await failureOf(generateText({ model: scope.languageModel(priced), prompt: 'Hello' }));
    expect(error.code).toBe('MILLRACE_LEASE_EXPIRED');
    expect(model.requests).toHaveLength(0);
    expect(await models.callRows()).toEqual([]);
  });

  it('outside a stage has its origin, and rows of its own in every scope', async () => {
    const { metered } = models.scripted(['one', 'two']);
    for (const expected of ['one', 'two']) {
      const scope = metered.openScope({ origin: someOrigin, signal: new AbortController().signal });
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
    const { metered } = models.scripted(['a', 'b']);
    const scope = await openScope(metered);
    const model = scope.languageModel('scripted/gpt-5-mini', { step: 'priced' });
    expect(model.modelId).toBe('gpt-5-mini');
    const unknown = new ScriptedModel(
      [
        { text: 'a', modelId: 'own-model' },
        { text: 'b', modelId: 'own-model' },
      ],
      'own-model',
    );
    const other = await openScope(models.metered({ own: { kind: 'custom', model: () => unknown } }));
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

  it('is a client span in the trace of its message, with usage and cost', async () => {
    const spans: RecordedSpan[] = [];
    const tracer = new SpanTracer({ sampleRatio: 1, onEnd: (ended) => void spans.push(ended) });
    const model = new ScriptedModel(
      [{ text: 'x', usage: { uncachedInput: 100, textOutput: 10 } }],
      'gpt-5-mini',
    );
    const metered = models.metered(
      { scripted: { kind: 'custom', model: () => model } },
      { tracer: { tracer, originFields: ['team'] } },
    );
    const scope = await openScope(metered);
    await generateText({ model: scope.languageModel(priced, { step: 's' }), prompt: '1' });
    const [span, ...others] = spans;
    expect(others).toEqual([]);
    expect(span).toMatchObject({
      name: 'chat gpt-5-mini',
      kind: SpanKind.CLIENT,
      parentSpanId: 'b'.repeat(16),
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'gpt-5-mini',
        'gen_ai.usage.input_tokens': 100,
        'gen_ai.usage.output_tokens': 10,
        'millrace.origin.team': 'blue',
        'millrace.step': 's',
        'millrace.cost_usd': '0.000045',
      },
    });
    expect(span?.spanContext().traceId).toBe('a'.repeat(32));
    expect(span?.attributes).not.toHaveProperty('millrace.origin.customer');
  });

  it('names the configured providers when its own is unknown', async () => {
    const { metered } = models.scripted([]);
    const scope = await openScope(metered);
    expect(() => scope.languageModel('elsewhere/model')).toThrow(/configured are: scripted/);
    expect(() => scope.languageModel('gpt-5-mini')).toThrow(AppError);
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
      const { model, metered } = models.scripted([{ error: refusal(status, 'no') }]);
      const scope = await openScope(metered);
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
    const { metered } = models.scripted([{ hang: true }], 20);
    const scope = await openScope(metered);
    const error = await failureOf(
      generateText({ model: scope.languageModel(priced), prompt: '1', maxOutputTokens: 10 }),
    );
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_TIMEOUT', retryable: true });
    const [row] = await models.callRows();
    expect(row).toMatchObject({
      state: 'unsettled',
      outcome: 'unsettled',
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
    const { model, metered } = models.scripted([{ hang: true }]);
    const scope = await openScope(metered, lease.signal);
    const work = failureOf(generateText({ model: scope.languageModel(priced), prompt: '1' }));
    await expect.poll(() => model.requests.length).toBe(1);
    lease.abort(new AppError('MILLRACE_LEASE_EXPIRED', 'gone'));
    expect(await work).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED', retryable: true });
    expect(await models.callRows()).toMatchObject([
      { state: 'unsettled', error_type: 'aborted', waste_reason: 'aborted' },
    ]);
  });

  it("by the user's own signal is aborted, too", async () => {
    const user = new AbortController();
    const { model, metered } = models.scripted([{ hang: true }]);
    const scope = await openScope(metered);
    const work = failureOf(scope.languageModel(priced).doGenerate({ prompt: [], abortSignal: user.signal }));
    await expect.poll(() => model.requests.length).toBe(1);
    user.abort();
    expect(await work).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    const late = failureOf(scope.languageModel(priced).doGenerate({ prompt: [], abortSignal: user.signal }));
    expect(await late).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    expect(await models.callRows()).toHaveLength(1);
  });

  it('with an answer that does not say its usage is counted, and keeps its upper bound', async () => {
    const { metered } = models.scripted([
      { text: 'The quick brown fox jumps over the lazy dog.', usage: 'missing' },
    ]);
    const scope = await openScope(metered);
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
    const { metered } = models.scripted(['Some words that come in pieces.']);
    const scope = await openScope(metered);
    const { stream } = await scope.languageModel(priced).doStream({ prompt: [] });
    const seen: [string, string][] = [];
    for await (const part of stream) seen.push([part.type, (await models.callRows())[0]?.state ?? '']);
    expect(seen.at(-1)).toEqual(['finish', 'settled']);
    expect(seen.slice(0, -1).every(([, state]) => state === 'reserved')).toBe(true);
    expect((await models.callRows())[0]?.first_chunk_ms).not.toBeNull();
  });

  it('that is cut fails, and is charged by what came', async () => {
    const { metered } = models.scripted([{ text: 'Some words that come in pieces.', cutAfterParts: 5 }]);
    const scope = await openScope(metered);
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
    expect(await models.usageLines()).toMatchObject([
      { is_waste: 1, waste_reason: 'failed', error_type: 'stream_cut' },
    ]);
    const counted = await models.metricLines('llm_requests_total');
    expect(counted.filter((line) => line.includes('error_type="stream_cut"'))).toHaveLength(1);
  });

  it('that its consumer leaves is settled as cancelled', async () => {
    const { metered } = models.scripted(['Some words that come in pieces.']);
    const scope = await openScope(metered);
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
    const { metered } = models.scripted(['Some words.', { hang: true }]);
    const scope = await openScope(metered);
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
    const { metered } = models.scripted(['Some words that come in pieces.']);
    const scope = await openScope(metered, lease.signal);
    const { stream } = await scope.languageModel(priced).doStream({ prompt: [] });
    const reader = stream.getReader();
    await reader.read();
    lease.abort(new AppError('MILLRACE_LEASE_EXPIRED', 'gone'));
    expect(await failureOf(reader.read())).toMatchObject({ code: 'MILLRACE_MODEL_ABORTED' });
    await scope.close();
    expect(await models.callRows()).toMatchObject([{ outcome: 'cancelled', settlement: 'estimated' }]);
  });
});
