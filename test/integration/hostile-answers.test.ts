import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProviderConfig } from '../../src/engine/providers/provider-config.ts';
import { AnsweringProvider } from '../support/answering-provider.ts';
import { type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';
import { findSecret } from '../support/secret-search.ts';

const apiKey = 'a-key-that-has-no-usual-form-0123456789';

let models: ModelsHarness;
let answering: AnsweringProvider;

beforeAll(async () => {
  models = await openMeteredModels();
  answering = await AnsweringProvider.start();
});
beforeEach(() => models.clear());
afterEach(() => answering.cut());
afterAll(async () => {
  await answering.stop();
  await models.close();
});

const kinds = [
  ['chat', { kind: 'openai', api: 'chat' }],
  ['responses', { kind: 'openai' }],
  ['anthropic', { kind: 'anthropic' }],
  ['compatible', { kind: 'openai-compatible' }],
] as const;

/** Every character as an escape of JSON. */
const inEscapes = (text: string): string =>
  text.replaceAll(/./g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Where the key stands in what was kept, in whatever form. */
const shown = (kept: unknown): string | undefined =>
  findSecret(inspect(kept, { depth: 12, maxStringLength: null }), [apiKey]);

/** Asks one model of the provider, and gives the error, if there is one, and the row of the call. */
async function ask(
  provider: Pick<ProviderConfig, 'kind' | 'priceProvider'> & { readonly apiKey?: string },
  modelId = 'some-model',
) {
  const metered = models.metered({
    p: { maxAnswerBytes: 1_000_000, apiKey, ...provider, baseUrl: answering.url } as ProviderConfig,
  });
  const scope = models.openScope(metered, await models.leasedMessage());
  try {
    const model = scope.languageModel(`p/${modelId}`, { step: 's' });
    let text: string | undefined;
    const error = await generateText({ model, prompt: 'hello', maxRetries: 0 }).then(
      (result) => {
        ({ text } = result);
        return undefined;
      },
      (thrown: unknown) => thrown,
    );
    return { error, text, row: (await models.callRows())[0] };
  } finally {
    await scope.close();
  }
}

describe.each(kinds)('%s', (_name, provider) => {
  it('a redirect is a dead letter, free, and seen by nobody', async () => {
    answering.answer = (_request, response) =>
      response.writeHead(307, { location: `${answering.url}/elsewhere` }).end();
    const { error, row } = await ask(provider);
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_REDIRECTED', retryable: false });
    expect(row).toMatchObject({ settlement: 'free', error_type: 'redirected' });
  });

  it('a bomb of gzip is cut off and stays unsettled', async () => {
    const bomb = gzipSync(Buffer.alloc(30_000_000, 32));
    answering.answer = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb);
    const { error, row } = await ask(provider);
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_ANSWER_TOO_LARGE' });
    expect(row).toMatchObject({ state: 'unsettled', error_type: 'answer_too_large' });
  });

  it.each([
    [401, 'MILLRACE_MODEL_AUTHENTICATION'],
    [429, 'MILLRACE_MODEL_RATE_LIMITED'],
  ])('an error %i under status 200 is %s, free, and without the echoed key', async (code, expected) => {
    answering.answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { code, message: `refused for ${apiKey}` } }));
    const { error, row } = await ask(provider);
    expect(error).toMatchObject({ code: expected });
    expect(row).toMatchObject({ settlement: 'free' });
    expect((error as Error).message).toContain('refused for [redacted]');
    expect(JSON.stringify([row, await models.usageLines(), models.logged])).not.toContain(apiKey);
  });

  it.each([
    ['as it is', apiKey],
    ['in base64', Buffer.from(`user:${apiKey}`).toString('base64')],
    ['percent-encoded', [...Buffer.from(apiKey)].map((byte) => `%${byte.toString(16)}`).join('')],
  ])('a good answer that echoes the key %s leaves it nowhere', async (_how, echo) => {
    answering.answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'x-request-id': echo, 'request-id': echo })
        .end(JSON.stringify(goodAnswer(echo)));
    const { error, row } = await ask(provider);
    expect(error).toBeUndefined();
    expect(row).toMatchObject({
      state: 'settled',
      provider_request_id: expect.stringContaining('[redacted]'),
    });
    expect(row?.raw_usage).toContain('[redacted]');
    const kept = JSON.stringify([row, await models.usageLines(), models.logged]);
    expect(kept).not.toContain(echo);
    expect(kept).not.toContain(apiKey);
  });

  it.each([
    ['in escapes of JSON', inEscapes(apiKey)],
    ['in escapes in part', apiKey.slice(0, 5) + inEscapes(apiKey.slice(5, 20)) + apiKey.slice(20)],
  ])('a good answer that echoes the key %s leaves it nowhere', async (_how, echo) => {
    answering.answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(goodAnswer('@echo@')).replaceAll('@echo@', echo));
    const { error, text, row } = await ask(provider);
    expect(error).toBeUndefined();
    expect(text).toContain('[redacted]');
    expect(row?.raw_usage).toContain('[redacted]');
    expect(JSON.stringify(row?.answer)).toContain('[redacted]');
    expect(shown([text, row, await models.usageLines(), models.logged])).toBeUndefined();
  });

  it('a key that was read with the newline of its file is sent without, and leaves no trace', async () => {
    const key = 'key-out-of-a-file-9876543210-abcdef';
    let sent = '';
    answering.answer = ({ headers }, response) => {
      sent = String(headers['x-api-key'] ?? headers.authorization);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(goodAnswer(sent)));
    };
    const { error, text, row } = await ask({ ...provider, apiKey: `${key}\n` });
    expect(error).toBeUndefined();
    expect(sent.replace('Bearer ', '')).toBe(key);
    const kept = inspect([text, row, await models.usageLines(), models.logged], { depth: 12 });
    expect(kept).toContain('[redacted]');
    expect(findSecret(kept, [key])).toBeUndefined();
  });

  it('an error that echoes the key in escapes of JSON leaves it nowhere', async () => {
    const body = JSON.stringify({
      type: 'error',
      error: { type: '@echo@', code: '@echo@', message: 'refused for @echo@' },
    });
    answering.answer = (_request, response) =>
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(body.replaceAll('@echo@', inEscapes(apiKey)));
    const { error, row } = await ask(provider);
    expect((error as Error).message).toContain('[redacted]');
    expect(shown([error, row, await models.usageLines(), models.logged])).toBeUndefined();
  });

  it('a tier that nobody knows hides no cost: the bound stands', async () => {
    answering.answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(goodAnswer('golden', { service_tier: 'golden' })));
    const isAnthropic = provider.kind === 'anthropic';
    const { row } = await ask(
      { ...provider, priceProvider: isAnthropic ? 'anthropic' : 'openai' },
      isAnthropic ? 'claude-haiku-4-5' : 'gpt-5-mini',
    );
    expect(row).toMatchObject({ settlement: 'reported', tier: 'golden', cost_usd: null });
    expect(Number(row?.upper_bound_usd)).toBeGreaterThan(0);
    const [line] = await models.usageLines();
    expect(line).toMatchObject({ unpriced_calls: 1, upper_bound_usd: row?.upper_bound_usd });
  });

  it('a usage block of megabytes is not kept', async () => {
    const filler = { filler: 'x'.repeat(200_000) };
    answering.answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(goodAnswer('some', filler)));
    const { row } = await ask(provider);
    expect(row?.raw_usage).toMatch(/^\{"omitted": ?"a usage block of 2\d{5} characters"\}$/);
  });
});

describe('a stream', () => {
  const chunk = (content: string, more: object = {}): string =>
    JSON.stringify({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'some-model',
      choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }],
      ...more,
    });
  const ended = chunk('', {
    choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10, note: '@echo@' },
  });

  async function stream(chunks: readonly string[], echo: string) {
    const lines = [...chunks, ended].map((text) => `data: ${text.replaceAll('@echo@', echo)}\n\n`);
    answering.answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end(`${lines.join('')}data: [DONE]\n\n`);
    const metered = models.metered({ p: { kind: 'openai-compatible', baseUrl: answering.url, apiKey } });
    const scope = models.openScope(metered, await models.leasedMessage());
    try {
      const model = scope.languageModel('p/some-model', { step: 's' });
      const text = await streamText({ model, prompt: 'hello', maxRetries: 0 }).text;
      return { text, row: (await models.callRows())[0] };
    } finally {
      await scope.close();
    }
  }

  it('that echoes the key in escapes of JSON leaves it nowhere', async () => {
    const { text, row } = await stream([chunk('your key: @echo@.')], inEscapes(apiKey));
    expect(text).toBe('your key: [redacted].');
    expect(row).toMatchObject({ state: 'settled', outcome: 'ok' });
    expect(shown([row, await models.usageLines(), models.logged])).toBeUndefined();
  });

  it('that spells the key out over two events does not leave it in the recorded answer', async () => {
    const { row } = await stream([chunk(`your key: ${apiKey.slice(0, 10)}`), chunk(apiKey.slice(10))], '');
    expect(JSON.stringify(row?.answer)).toContain('your key: [redacted]');
    expect(shown([row, await models.usageLines(), models.logged])).toBeUndefined();
  });
});

describe('a refusal that asks for a day', () => {
  it.each([
    ['in seconds', { 'retry-after': '86400' }],
    ['in milliseconds', { 'retry-after-ms': '86400000' }],
    ['as a date', { 'retry-after': new Date(Date.now() + 86_400_000).toUTCString() }],
  ])('%s is granted an hour, counted as a day, and told of once', async (_how, headers) => {
    const lines = async (name: string, text: string) =>
      (await models.metricLines(name))
        .filter((line) => line.includes(text))
        .map((line) => line.split(' ').at(-1));
    const seen = async () => ({
      capped: Number((await lines('llm_retry_after_total', 'outcome="capped"'))[0] ?? 0),
      overSixHours:
        Number((await lines('llm_retry_after_seconds_bucket', 'le="86400"'))[0] ?? 0) -
        Number((await lines('llm_retry_after_seconds_bucket', 'le="21600"'))[0] ?? 0),
    });
    const before = await seen();
    models.logged.length = 0;
    answering.answer = (_request, response) =>
      response
        .writeHead(429, { 'content-type': 'application/json', ...headers })
        .end('{"error":{"message":"quota"}}');
    const { error } = await ask({ kind: 'openai' });
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_RATE_LIMITED', retryAfterMs: 3_600_000 });
    expect((error as Error).message).toMatch(/quota \(asks to retry after 86[34]\d\d s\)/);
    expect(await seen()).toEqual({ capped: before.capped + 1, overSixHours: before.overSixHours + 1 });
    const told = models.logged.filter(({ message }) => message.includes('longer wait'));
    expect(told).toHaveLength(1);
    expect(told[0]?.fields).toMatchObject({ model: 'some-model', grantedMs: 3_600_000 });
  });
});

/** Every field of all four APIs in one, the text in each place where they have it. */
function goodAnswer(echo: string, usage: object = { note: echo }) {
  const text = `hello ${echo}`;
  return {
    id: echo,
    model: echo,
    service_tier: echo,
    object: 'response',
    created: 1,
    created_at: 1,
    type: 'message',
    role: 'assistant',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    output: [
      {
        type: 'message',
        id: 'm',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text, annotations: [] }],
      },
    ],
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { prompt_tokens: 3, completion_tokens: 4, input_tokens: 3, output_tokens: 4, ...usage },
  };
}
