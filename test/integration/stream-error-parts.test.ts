import type { RequestListener } from 'node:http';
import { generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CallGate, GateEnd } from '../../src/engine/calls/call-gate.ts';
import type { ProviderConfig } from '../../src/engine/providers/provider-config.ts';
import { AnsweringProvider } from '../support/answering-provider.ts';
import { failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

/* An error that comes as a part of a stream before any of the answer is what it would be as a whole body. */

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

interface ToldError {
  readonly type: string;
  readonly code?: string | number;
  readonly message: string;
}

interface Shape {
  readonly config: object;
  /** The body of an error under status 200. */
  readonly whole: (error: ToldError) => object;
  /** What the stream says before its first word, as far as it says anything. */
  readonly prelude: readonly object[];
  /** Some words of an answer. */
  readonly words: readonly object[];
  readonly part: (error: ToldError) => object;
}

const choice = (delta: object) => ({
  id: 'c',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: null }],
});
const chat: Omit<Shape, 'config'> = {
  whole: (error) => ({ error }),
  prelude: [choice({ role: 'assistant', content: '' })],
  words: [choice({ content: 'Once upon a time' })],
  part: (error) => ({ error }),
};
const begun = { id: 'r', object: 'response', created_at: 1, model: 'm', status: 'in_progress', output: [] };
const responses: Omit<Shape, 'config' | 'part'> = {
  whole: (error) => ({ ...begun, status: 'failed', error }),
  prelude: [
    { type: 'response.created', sequence_number: 0, response: begun },
    { type: 'response.in_progress', sequence_number: 1, response: begun },
  ],
  words: [
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { type: 'message', id: 'm', role: 'assistant', status: 'in_progress', content: [] },
    },
    {
      type: 'response.output_text.delta',
      item_id: 'm',
      output_index: 0,
      content_index: 0,
      delta: 'Once upon',
    },
  ],
};
const shapes: Readonly<Record<string, Shape>> = {
  chat: { ...chat, config: { kind: 'openai', api: 'chat' } },
  compatible: { ...chat, config: { kind: 'openai-compatible' } },
  'responses, an error event': {
    ...responses,
    config: { kind: 'openai' },
    part: (error) => ({ type: 'error', sequence_number: 2, error }),
  },
  'responses, a flat error event': {
    ...responses,
    config: { kind: 'openai' },
    // Here the event's type takes the place of the error's own.
    part: ({ code = null, message, type }) => ({
      type: 'error',
      sequence_number: 2,
      code: code ?? type,
      message,
      param: null,
    }),
  },
  'responses, a failed response': {
    ...responses,
    config: { kind: 'openai' },
    part: (error) => ({
      type: 'response.failed',
      sequence_number: 2,
      response: { ...begun, status: 'failed', error },
    }),
  },
  anthropic: {
    config: { kind: 'anthropic' },
    whole: (error) => ({ type: 'error', error }),
    prelude: [{ type: 'ping' }],
    words: [
      {
        type: 'message_start',
        message: {
          type: 'message',
          id: 'a',
          role: 'assistant',
          model: 'm',
          content: [],
          usage: { input_tokens: 9, output_tokens: 1 },
        },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Once upon' } },
    ],
    part: (error) => ({ type: 'error', error }),
  },
};

const errors: Readonly<Record<string, (isAnthropic: boolean) => ToldError>> = {
  rate_limited: (a) =>
    a
      ? { type: 'rate_limit_error', message: 'slow down' }
      : { type: 'requests', code: 'rate_limit_exceeded', message: 'slow down' },
  authentication: (a) =>
    a
      ? { type: 'authentication_error', message: 'invalid x-api-key' }
      : { type: 'invalid_request_error', code: 'invalid_api_key', message: 'wrong key' },
  not_found: (a) =>
    a
      ? { type: 'not_found_error', message: 'model: m' }
      : { type: 'invalid_request_error', code: 'model_not_found', message: 'no such model' },
  context_too_long: (a) =>
    a
      ? { type: 'invalid_request_error', message: 'prompt is too long: 9 tokens > 8 maximum' }
      : { type: 'invalid_request_error', code: 'context_length_exceeded', message: 'too long' },
  content_policy: (a) =>
    a
      ? { type: 'invalid_request_error', message: 'Output blocked by content filtering policy' }
      : { type: 'invalid_request_error', code: 'content_policy_violation', message: 'no' },
  bad_request: () => ({
    type: 'invalid_request_error',
    code: 'invalid_request_error',
    message: 'the field foo is not known',
  }),
  overloaded: (a) =>
    a
      ? { type: 'overloaded_error', message: 'Overloaded' }
      : { type: 'server_error', code: 503, message: 'The engine is currently overloaded' },
  server_error: (a) =>
    a
      ? { type: 'api_error', message: 'oops' }
      : { type: 'server_error', code: 'server_error', message: 'oops' },
};

const isRefusedBeforeWork = new Set(['rate_limited', 'authentication', 'not_found', 'context_too_long']);

const sse = (...data: readonly object[]): RequestListener => {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'retry-after': '7' });
    response.end(data.map((item) => `data: ${JSON.stringify(item)}\n\n`).join(''));
  };
};

/** What the gates and the ledger were told. */
async function told(config: object, how: 'whole' | 'streamed') {
  const ends: GateEnd[] = [];
  const gate: CallGate = { enter: async () => ({ end: (end) => void ends.push(end) }) };
  const metered = models.metered(
    { p: { ...config, baseUrl: answering.url, apiKey: 'k' } as ProviderConfig },
    { gates: [gate] },
  );
  const scope = models.openScope(metered, await models.leasedMessage());
  const model = scope.languageModel('p/some-model', { step: 's' });
  const request = { model, prompt: 'hello', maxRetries: 0 };
  const stream = async () => {
    let failure: unknown;
    const { textStream } = streamText({ ...request, onError: ({ error }) => void (failure = error) });
    for await (const part of textStream) void part;
    throw failure as Error;
  };
  const error = (await failureOf(how === 'whole' ? generateText(request) : stream())) as Error;
  await scope.close();
  const [row] = await models.callRows();
  const [end] = ends;
  return {
    failure: end?.kind === 'sent' ? end.failure : end,
    retryAfterMs: end?.kind === 'sent' ? end.retryAfterMs : undefined,
    settlement: row?.settlement,
    message: error.message,
  };
}

describe.each(Object.entries(shapes))('%s', (name, shape) => {
  it.each(Object.entries(errors))(
    '%s before any text is what it is as a whole body',
    async (kind, errorOf) => {
      const error = errorOf(name === 'anthropic');
      answering.answer = (_request, response) =>
        response
          .writeHead(200, { 'content-type': 'application/json', 'retry-after': '7' })
          .end(JSON.stringify(shape.whole(error)));
      const whole = await told(shape.config, 'whole');
      await models.clear();
      answering.answer = sse(shape.part(error));
      const first = await told(shape.config, 'streamed');
      await models.clear();
      answering.answer = sse(...shape.prelude, shape.part(error));
      const afterPrelude = await told(shape.config, 'streamed');
      await models.clear();
      answering.answer = sse(...shape.prelude, ...shape.words, shape.part(error));
      const inText = await told(shape.config, 'streamed');
      expect(whole.failure).toBe(kind);
      expect(whole.settlement).toBe(isRefusedBeforeWork.has(kind) ? 'free' : 'unsettled');
      expect(first).toEqual(whole);
      expect(afterPrelude).toEqual(whole);
      // What had begun is not free, and its cause is the same.
      expect(inText).toEqual({ ...whole, settlement: 'estimated' });
    },
  );
});
