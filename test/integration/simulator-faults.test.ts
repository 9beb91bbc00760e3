import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import {
  APICallError,
  embed,
  generateText,
  type LanguageModel,
  NoObjectGeneratedError,
  Output,
  streamText,
} from 'ai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { FaultName } from '../../src/simulator/simulator-config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';

const prompt = `Summarise: ${'the licence grants permission to copy the software without warranty. '.repeat(20)}`;
const headers = { authorization: 'Bearer k', 'x-api-key': 'k', 'anthropic-version': '2023-06-01' };

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ seed: 7, latency: { medianMs: 0 } });
});
afterEach(() => simulator.close());

const chat = (): LanguageModel =>
  createOpenAI({ baseURL: `${simulator.url}/openai/v1`, apiKey: 'k' }).chat('gpt-5-mini');
const responses = (): LanguageModel =>
  createOpenAI({ baseURL: `${simulator.url}/openai/v1`, apiKey: 'k' }).responses('gpt-5-mini');
const messages = (): LanguageModel =>
  createAnthropic({ baseURL: `${simulator.url}/anthropic/v1`, apiKey: 'k' })('claude-haiku-4-5');

const kinds: readonly [string, () => LanguageModel][] = [
  ['OpenAI chat completions', chat],
  ['OpenAI responses', responses],
  ['Anthropic messages', messages],
];

const ask = (model: LanguageModel) => generateText({ model, prompt, maxRetries: 0 });

async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (cause) {
    return cause;
  }
  throw new Error('It did not fail.');
}

async function apiFailure(model: LanguageModel): Promise<APICallError> {
  const failure = await failureOf(ask(model));
  if (!APICallError.isInstance(failure)) throw failure;
  return failure;
}

/** Reads a stream to its end and returns the text with the first error in it. */
async function readStream(
  model: LanguageModel,
): Promise<{ text: string; error: unknown; inputTokens: number | undefined }> {
  const result = streamText({ model, prompt, maxRetries: 0, onError: () => undefined });
  let text = '';
  let error: unknown;
  let inputTokens: number | undefined;
  try {
    for await (const part of result.stream) {
      if (part.type === 'text-delta') text += part.text;
      if (part.type === 'error') error ??= part.error;
      if (part.type === 'finish') inputTokens = part.totalUsage.inputTokens;
    }
  } catch (cause) {
    // A connection that breaks under the stream is thrown; what comes as an event is a part.
    error = cause;
  }
  return { text, error, inputTokens };
}

const strike = (fault: FaultName, more: object = {}): void => simulator.setRules([{ fault, ...more }]);

const noBill = { requests: 0, totalUsd: '0' };

describe.each(kinds)('faults of %s', (name, model) => {
  const isAnthropic = name.startsWith('Anthropic');

  it.each([
    ['rate_limit', 429, 429, true],
    ['server_error', 500, 500, true],
    ['overloaded', 503, 529, true],
    ['auth', 401, 401, false],
    ['content_policy', 400, 400, false],
    ['context_too_long', 400, 400, false],
  ] as const)('refuses without a bill: %s', async (fault, openaiStatus, anthropicStatus, isRetryable) => {
    strike(fault);
    const failure = await apiFailure(model());
    expect(failure.statusCode).toBe(isAnthropic ? anthropicStatus : openaiStatus);
    expect(failure.isRetryable).toBe(isRetryable);
    // The SDK fills `data` only when the body has its provider's error shape.
    expect(failure.data).toMatchObject({ error: { type: expect.any(String), message: failure.message } });
    expect(failure.responseHeaders).toHaveProperty(isAnthropic ? 'request-id' : 'x-request-id');
    expect(await simulator.bill()).toMatchObject(noBill);
    expect(simulator.stats()).toMatchObject({
      byFault: { [fault]: 1 },
      byStatus: { [failure.statusCode ?? 0]: 1 },
    });
  });

  it('says how long to wait after a rate limit', async () => {
    strike('rate_limit', { retryAfterMs: 2500 });
    const failure = await apiFailure(model());
    expect(failure.responseHeaders?.['retry-after']).toBe('3');
  });

  it.each(['hang', 'hang_billed'] as const)('never answers: %s', async (fault) => {
    strike(fault);
    const failure = await failureOf(
      generateText({ model: model(), prompt, maxRetries: 0, abortSignal: AbortSignal.timeout(200) }),
    );
    expect(failure).toHaveProperty('name', 'TimeoutError');
    const bill = await simulator.bill();
    expect(bill.requests).toBe(fault === 'hang' ? 0 : 1);
    expect(bill.reportedUsd).toBe('0');
  });

  it('breaks a whole answer off and bills it', async () => {
    strike('cut_stream');
    await failureOf(ask(model()));
    const bill = await simulator.bill();
    expect(bill).toMatchObject({ requests: 1, reportedUsd: '0', unreportedUsd: bill.totalUsd });
    expect(bill.totalUsd).not.toBe('0');
  });

  it('breaks a stream off in its middle and bills all of it', async () => {
    const whole = await readStream(model());
    strike('cut_stream');
    const cut = await readStream(model());
    expect(cut.error).toBeDefined();
    expect(cut.text.length).toBeGreaterThan(0);
    expect(cut.text.length).toBeLessThan(whole.text.length);
    expect(whole.text.startsWith(cut.text)).toBe(true);
    const { entries = [] } = await simulator.bill({ entries: true });
    expect(entries.map(({ fault, usageReported }) => [fault, usageReported])).toEqual([
      [null, true],
      ['cut_stream', false],
    ]);
    expect(entries[1]?.costUsd).toBe(entries[0]?.costUsd);
  });

  it('sends broken JSON, billed', async () => {
    strike('malformed');
    const failure = await apiFailure(model());
    expect(failure.statusCode).toBe(200);
    expect((await readStream(model())).error).toBeDefined();
    expect(await simulator.bill()).toMatchObject({ requests: 2, reportedUsd: '0' });
  });

  it('sends an empty answer, billed', async () => {
    strike('empty');
    const result = await ask(model());
    expect(result.text).toBe('');
    expect(result.finishReason).toBe('stop');
    expect((await readStream(model())).text).toBe('');
    expect(await simulator.bill()).toMatchObject({ requests: 2, unreportedUsd: '0' });
  });

  it('leaves the usage out, billed', async () => {
    strike('missing_usage');
    // The AI SDK takes an Anthropic answer without usage for a broken one.
    if (isAnthropic) expect((await apiFailure(model())).statusCode).toBe(200);
    else expect((await ask(model())).usage.inputTokens).toBeUndefined();
    const streamed = await readStream(model());
    expect(isAnthropic ? streamed.error !== undefined : streamed.inputTokens === undefined).toBe(true);
    expect(await simulator.bill()).toMatchObject({ requests: 2, reportedUsd: '0' });
  });

  it('puts a U+0000 into the text', async () => {
    strike('nul_text');
    expect((await ask(model())).text).toContain('\u0000');
    expect((await readStream(model())).text).toContain('\u0000');
    expect(await simulator.bill()).toMatchObject({ requests: 2, unreportedUsd: '0' });
  });

  it('answers with JSON that breaks the schema', async () => {
    strike('bad_json');
    const output = Output.object({ schema: z.object({ category: z.enum(['a', 'b']) }) });
    const failure = await failureOf(generateText({ model: model(), prompt, output, maxRetries: 0 }));
    expect(NoObjectGeneratedError.isInstance(failure)).toBe(true);
    expect(await simulator.bill()).toMatchObject({ requests: 1, unreportedUsd: '0' });
  });

  it('keeps a slow answer back', async () => {
    strike('slow', { delayMs: 150 });
    const startedMs = performance.now();
    await ask(model());
    expect(performance.now() - startedMs).toBeGreaterThan(140);
  });

  it('refuses a model that it does not have', async () => {
    const provider = isAnthropic
      ? createAnthropic({ baseURL: `${simulator.url}/anthropic/v1`, apiKey: 'k' })
      : createOpenAI({ baseURL: `${simulator.url}/openai/v1`, apiKey: 'k' });
    const failure = await apiFailure(provider('gpt-0'));
    expect(failure.statusCode).toBe(404);
    expect(failure.message).toContain('gpt-0');
  });

  it('bills a client that left while it generated, and notes that it saw no usage', async () => {
    strike('slow', { delayMs: 60_000 });
    const client = new AbortController();
    const left = failureOf(
      generateText({ model: model(), prompt, maxRetries: 0, abortSignal: client.signal }),
    );
    await expect.poll(async () => (await simulator.bill()).requests).toBe(1);
    client.abort();
    await left;
    await expect.poll(async () => (await simulator.bill()).reportedUsd).toBe('0');
    expect(simulator.stats().clientsGone).toBe(1);
    expect((await simulator.bill()).totalUsd).not.toBe('0');
  });
});

describe('retries', () => {
  const post = async (more: Record<string, string> = {}): Promise<number> => {
    const body = JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'again and again' }],
    });
    const response = await fetch(`${simulator.url}/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { ...headers, ...more },
      body,
    });
    await response.arrayBuffer();
    return response.status;
  };

  it('draw anew, and the same way when everything is run again', async () => {
    const rules = [{ fault: 'server_error', probability: 0.5 }] as const;
    const run = async (): Promise<number[]> => {
      simulator.setRules(rules);
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 20; attempt += 1) statuses.push(await post());
      return statuses;
    };
    const first = await run();
    expect(new Set(first)).toEqual(new Set([200, 500]));
    await simulator.close();
    simulator = await startSimulator({ seed: 7, latency: { medianMs: 0 } });
    expect(await run()).toEqual(first);
  });

  it('follow the attempt’s number where the client gives it', async () => {
    simulator.setRules([{ fault: 'server_error', probability: 0.5 }]);
    const statuses: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt += 1)
      statuses.push(await post({ 'x-millrace-attempt': `${attempt}` }));
    expect(new Set(statuses)).toEqual(new Set([200, 500]));
    const repeated: number[] = [];
    for (let attempt = 12; attempt >= 1; attempt -= 1)
      repeated.push(await post({ 'x-millrace-attempt': `${attempt}` }));
    expect(repeated.toReversed()).toEqual(statuses);
  });
});

describe('limits, keys and bad requests', () => {
  const restart = async (options: Parameters<typeof startSimulator>[0]): Promise<void> => {
    await simulator.close();
    simulator = await startSimulator({ latency: { medianMs: 0 }, ...options });
  };

  it('enforces a limit of requests per model with a true retry-after', async () => {
    await restart({ limits: { 'gpt-5-mini': { requestsPerMinute: 1 } } });
    const first = await ask(chat());
    expect(first.finalStep.response.headers).toMatchObject({
      'x-ratelimit-limit-requests': '1',
      'x-ratelimit-remaining-requests': '0',
    });
    const failure = await apiFailure(chat());
    expect(failure.statusCode).toBe(429);
    expect(Number(failure.responseHeaders?.['retry-after-ms'])).toBeGreaterThan(50_000);
    expect((await ask(messages())).finalStep.response.headers).toHaveProperty(
      'anthropic-ratelimit-requests-remaining',
    );
    expect((await simulator.bill()).requests).toBe(2);
  });

  it('accepts only the keys of its list', async () => {
    await restart({ apiKeys: ['other'] });
    expect((await apiFailure(chat())).statusCode).toBe(401);
    expect((await apiFailure(messages())).data).toMatchObject({ error: { type: 'authentication_error' } });
  });

  it('refuses a request without a key, without a version, or with a body that it cannot read', async () => {
    const post = async (
      path: string,
      requestHeaders: Record<string, string>,
      body: string,
    ): Promise<[number, unknown]> => {
      const response = await fetch(simulator.url + path, { method: 'POST', headers: requestHeaders, body });
      return [response.status, await response.json()];
    };
    const { authorization } = headers;
    expect(await post('/openai/v1/responses', {}, '{}')).toMatchObject([
      401,
      { error: { code: 'invalid_api_key' } },
    ]);
    expect(await post('/openai/v1/responses', { authorization }, '{"model":')).toMatchObject([400, {}]);
    expect(
      await post('/openai/v1/responses', { authorization }, '{"model":"gpt-5","input":[]}'),
    ).toMatchObject([400, { error: { type: 'invalid_request_error', param: 'input' } }]);
    expect(await post('/anthropic/v1/messages', { 'x-api-key': 'k' }, '{}')).toMatchObject([
      400,
      { type: 'error', error: { type: 'invalid_request_error' } },
    ]);
    expect(await post('/openai/v1/nothing', headers, '{}')).toMatchObject([404, { error: {} }]);
    expect(await simulator.bill()).toMatchObject(noBill);
  });

  it('refuses a prompt over the context window and an output limit over the model’s', async () => {
    const long = generateText({ model: messages(), prompt: 'word '.repeat(200_000), maxRetries: 0 });
    expect(await failureOf(long)).toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('prompt is too long'),
    });
    const wide = createOpenAI({ baseURL: `${simulator.url}/openai/v1`, apiKey: 'k' }).chat('gpt-4o-mini');
    const failure = failureOf(generateText({ model: wide, prompt, maxOutputTokens: 50_000, maxRetries: 0 }));
    expect(await failure).toMatchObject({ statusCode: 400 });
    expect(await simulator.bill()).toMatchObject(noBill);
  });

  it('refuses a body over its limit', async () => {
    await restart({ maxRequestBytes: 1000 });
    expect((await apiFailure(chat())).statusCode).toBe(413);
  });

  it('breaks embeddings as told', async () => {
    const model = createOpenAI({ baseURL: `${simulator.url}/openai/v1`, apiKey: 'k' }).embedding(
      'text-embedding-3-small',
    );
    const run = () => embed({ model, value: 'text', maxRetries: 0 });
    strike('missing_usage');
    expect((await run()).usage.tokens).toBeNaN();
    strike('server_error');
    expect(await failureOf(run())).toMatchObject({ statusCode: 500 });
    strike('cut_stream');
    expect(await failureOf(run())).toBeInstanceOf(Error);
    expect(await simulator.bill()).toMatchObject({ requests: 2, reportedUsd: '0' });
  });
});

describe('the control routes', () => {
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`${simulator.url}/_simulator/${path}`)).json();
  const put = (body: string): Promise<Response> =>
    fetch(`${simulator.url}/_simulator/rules`, { method: 'PUT', body });

  it('show the bill and the counts', async () => {
    await ask(chat());
    await ask(messages());
    expect(await get('bill?entries=1&since=1')).toMatchObject({
      requests: 1,
      next: 2,
      entries: [{ n: 1, provider: 'anthropic' }],
    });
    expect(await get('bill')).toEqual(await simulator.bill());
    expect(await get('stats')).toMatchObject({
      requests: 2,
      byEndpoint: { 'chat.completions': 1, messages: 1 },
      byStatus: { 200: 2 },
    });
  });

  it('change the rules, and count their strikes', async () => {
    const response = await put('[{"fault":"overloaded","match":{"provider":"anthropic"},"times":1}]');
    expect(response.status).toBe(200);
    expect((await apiFailure(messages())).statusCode).toBe(529);
    await ask(chat());
    await ask(messages());
    expect(await get('rules')).toMatchObject([{ fault: 'overloaded', probability: 1, times: 1, struck: 1 }]);
  });

  it('refuse wrong rules and keep those in force', async () => {
    await put('[{"fault":"overloaded"}]');
    for (const wrong of ['{', '[{"fault":"fire"}]', '[{"fault":"slow","probability":2}]']) {
      expect((await put(wrong)).status).toBe(422);
    }
    expect(() => simulator.setRules([{ fault: 'slow', probability: 2 }])).toThrow('not valid');
    expect(simulator.rules()).toMatchObject([{ fault: 'overloaded' }]);
    expect((await fetch(`${simulator.url}/_simulator/bill?since=x`)).status).toBe(422);
    expect((await fetch(`${simulator.url}/_simulator/nothing`)).status).toBe(404);
  });
});
