import type { RequestListener } from 'node:http';
import { embedMany, generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProviderConfig } from '../../src/engine/providers/provider-config.ts';
import { AnsweringProvider } from '../support/answering-provider.ts';
import { failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

/* Answers that came with status 200 and are none, and answers that look broken and are good. */

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

function json(body: unknown): RequestListener {
  return (_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function events(...data: readonly unknown[]): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const lines = data.map((item) => `data: ${typeof item === 'string' ? item : JSON.stringify(item)}\n\n`);
    response.end(lines.join(''));
  };
}

async function ask(config: object, how: 'whole' | 'streamed') {
  const metered = models.metered({ p: { ...config, baseUrl: answering.url, apiKey: 'k' } as ProviderConfig });
  const scope = models.openScope(metered, await models.leasedMessage());
  const request = {
    model: scope.languageModel('p/some-model', { step: 's' }),
    prompt: 'hello',
    maxRetries: 0,
  };
  try {
    if (how === 'whole') return (await generateText(request)).text;
    let failure: unknown;
    const { textStream } = streamText({
      ...request,
      onError: ({ error }) => {
        failure = error;
      },
    });
    let text = '';
    for await (const part of textStream) text += part;
    if (failure !== undefined) throw failure as Error;
    return text;
  } finally {
    await scope.close();
  }
}

const anthropicUsage = { input_tokens: 9, output_tokens: 4 };
const message = (content: readonly unknown[], stopReason: string) =>
  json({
    type: 'message',
    id: 'a',
    role: 'assistant',
    model: 'm',
    content,
    stop_reason: stopReason,
    stop_sequence: null,
    usage: anthropicUsage,
  });
const messageEvents = (text: string | undefined, stopReason: string) =>
  events(
    {
      type: 'message_start',
      message: {
        type: 'message',
        id: 'a',
        role: 'assistant',
        model: 'm',
        content: [],
        usage: anthropicUsage,
      },
    },
    ...(text === undefined
      ? []
      : [
          { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
          { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
          { type: 'content_block_stop', index: 0 },
        ]),
    { type: 'message_delta', delta: { stop_reason: stopReason }, usage: { output_tokens: 4 } },
    { type: 'message_stop' },
  );
const chat = { kind: 'openai', api: 'chat' };
const choice = (delta: object, finish: string | null = null) => ({
  id: 'c',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const chatUsage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 };

describe('an answer that is none', () => {
  it.each([
    ['Anthropic, empty', 'whole', { kind: 'anthropic' }, message([], 'end_turn'), 'MILLRACE_OUTPUT_INVALID'],
    [
      'Anthropic, empty',
      'streamed',
      { kind: 'anthropic' },
      messageEvents(undefined, 'end_turn'),
      'MILLRACE_OUTPUT_INVALID',
    ],
    [
      'Anthropic, refused with text',
      'whole',
      { kind: 'anthropic' },
      message([{ type: 'text', text: 'I' }], 'refusal'),
      'MILLRACE_MODEL_CONTENT_POLICY',
    ],
    [
      'Anthropic, refused with text',
      'streamed',
      { kind: 'anthropic' },
      messageEvents('I', 'refusal'),
      'MILLRACE_MODEL_CONTENT_POLICY',
    ],
    [
      'Anthropic, paused',
      'whole',
      { kind: 'anthropic' },
      message([{ type: 'text', text: 'I' }], 'pause_turn'),
      'MILLRACE_OUTPUT_INVALID',
    ],
    [
      'Anthropic, paused',
      'streamed',
      { kind: 'anthropic' },
      messageEvents('I', 'pause_turn'),
      'MILLRACE_OUTPUT_INVALID',
    ],
    [
      'OpenAI, filtered with text',
      'whole',
      chat,
      json({
        id: 'c',
        created: 1,
        model: 'm',
        choices: [
          { index: 0, message: { role: 'assistant', content: 'I' }, finish_reason: 'content_filter' },
        ],
        usage: chatUsage,
      }),
      'MILLRACE_MODEL_CONTENT_POLICY',
    ],
    [
      'OpenAI, filtered with text',
      'streamed',
      chat,
      events(
        choice({ content: 'I' }),
        choice({}, 'content_filter'),
        { ...choice({}), choices: [], usage: chatUsage },
        '[DONE]',
      ),
      'MILLRACE_MODEL_CONTENT_POLICY',
    ],
  ] as const)(
    '%s, %s, fails by its kind and is never given again',
    async (_what, how, config, listener, code) => {
      answering.answer = listener;
      expect(await failureOf(ask(config, how))).toMatchObject({ code });
      const [row] = await models.callRows();
      expect(row).toMatchObject({ state: 'settled', settlement: 'reported', waste_reason: 'invalid_output' });
    },
  );
});

describe('a stream with text, usage and [DONE] but no finish reason', () => {
  it.each([
    ['OpenAI', chat],
    ['compatible', { kind: 'openai-compatible' }],
  ])('of %s is an answer', async (_name, config) => {
    answering.answer = events(
      choice({ role: 'assistant', content: 'Hi ' }),
      choice({ content: 'there.' }),
      { ...choice({}), choices: [], usage: chatUsage },
      '[DONE]',
    );
    expect(await ask(config, 'streamed')).toBe('Hi there.');
    expect(await models.callRows()).toMatchObject([{ outcome: 'ok', settlement: 'reported' }]);
  });

  it.each([
    ['OpenAI', chat],
    ['compatible', { kind: 'openai-compatible' }],
  ])('of %s is none without the usage', async (_name, config) => {
    answering.answer = events(choice({ role: 'assistant', content: 'Hi ' }));
    expect(await failureOf(ask(config, 'streamed'))).toBeDefined();
    expect((await models.callRows())[0]).not.toMatchObject({ outcome: 'ok' });
  });
});

describe('vectors', () => {
  const vectors = (data: readonly unknown[]) =>
    json({ object: 'list', model: 'm', data, usage: { prompt_tokens: 3, total_tokens: 3 } });
  const embed = async () => {
    const metered = models.metered({ p: { kind: 'openai', baseUrl: answering.url, apiKey: 'k' } });
    const scope = models.openScope(metered, await models.leasedMessage());
    const model = scope.embeddingModel('p/text-embedding-3-small', { step: 's' });
    try {
      return (await embedMany({ model, values: ['a', 'b', 'c'], maxRetries: 0 })).embeddings;
    } finally {
      await scope.close();
    }
  };

  it.each([
    ['fewer than asked for', [[1], [2]], undefined],
    ['more than asked for', [[1], [2], [3], [4]], undefined],
    ['with an empty one', [[1], [], [3]], undefined],
    ['of several lengths', [[1], [2, 2], [3]], undefined],
    ['whose indices contradict each other', [[1], [2], [3]], [0, 1, 1]],
  ])('%s are invalid outputs and never given again', async (_what, embeddings, indices) => {
    answering.answer = vectors(
      embeddings.map((embedding, index) => ({ embedding, index: indices?.[index] ?? index })),
    );
    expect(await failureOf(embed())).toMatchObject({ code: 'MILLRACE_OUTPUT_INVALID' });
    expect(await models.callRows()).toMatchObject([
      { waste_reason: 'invalid_output', settlement: 'reported' },
    ]);
  });

  it('in another order are put in that of the values', async () => {
    answering.answer = vectors([
      { embedding: [3], index: 2 },
      { embedding: [1], index: 0 },
      { embedding: [2], index: 1 },
    ]);
    expect(await embed()).toEqual([[1], [2], [3]]);
  });

  it('that all have the same index are taken as they come', async () => {
    answering.answer = vectors([1, 2, 3].map((value) => ({ embedding: [value], index: 0 })));
    expect(await embed()).toEqual([[1], [2], [3]]);
  });
});
