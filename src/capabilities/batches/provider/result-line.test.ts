import { describe, expect, it } from 'vitest';
import { readAnthropicLine, readOpenaiLine } from './result-line.ts';

const openai = (line: object) => readOpenaiLine(JSON.stringify({ custom_id: 'x', ...line }));
const outcomeOf = (line: ReturnType<typeof openai>) =>
  line.kind === 'result' ? line.result.outcome : line.kind;

describe("a line of OpenAI's", () => {
  const body = { id: 'r', usage: { prompt_tokens: 5, completion_tokens: 2 } };

  it('is a success with a status of success and a body', () => {
    expect(openai({ response: { status_code: 200, body }, error: null })).toEqual({
      kind: 'result',
      customId: 'x',
      result: {
        outcome: 'succeeded',
        statusCode: 200,
        body: JSON.stringify(body),
        usage: { inputTokens: 5, outputTokens: 2 },
      },
    });
  });

  it.each([
    ['status 0', { response: { status_code: 0, body } }, 'failed'],
    ['no status', { response: { body } }, 'failed'],
    ['no body', { response: { status_code: 200, body: '' } }, 'failed'],
    ['neither answer nor error', { response: null, error: null }, 'failed'],
    [
      'an error',
      { response: { status_code: 429, body: { error: { code: 'rate_limit_exceeded' } } } },
      'failed',
    ],
    ['expiry', { response: null, error: { code: 'batch_expired', message: 'late' } }, 'expired'],
    ['cancellation', { response: null, error: { code: 'batch_cancelled', message: 'stop' } }, 'cancelled'],
  ])('is no success with %s', (_name, line, outcome) => {
    expect(outcomeOf(openai(line))).toBe(outcome);
  });

  it.each([
    ['no JSON', '{"custom_id":"x","respon'],
    ['a list', '[]'],
    ['no name', '{"response":{"status_code":200,"body":{}}}'],
    [
      'a value deeper than any answer',
      `{"custom_id":"x","response":{"status_code":200,"body":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
    ],
  ])('cannot be read when it is %s', (_name, text) => {
    expect(readOpenaiLine(text).kind).toBe('unreadable');
  });

  it('keeps the answer as it was written', () => {
    const body = '{"a":120.0, "b":12345678901234567890}';
    const line = readOpenaiLine(`{"custom_id":"x","response":{"status_code":200,"body":${body}}}`);
    expect(line).toMatchObject({ result: { outcome: 'succeeded', body } });
    const message = readAnthropicLine(`{"custom_id":"x","result":{"type":"succeeded","message":${body}}}`);
    expect(message).toMatchObject({ result: { outcome: 'succeeded', body } });
  });

  it('adds no usage that is not in whole numbers', () => {
    const line = openai({
      response: { status_code: 200, body: { usage: { prompt_tokens: 1.5 } } },
      error: null,
    });
    expect(line).toMatchObject({ result: { outcome: 'succeeded' } });
    expect(line.kind === 'result' ? line.result.usage : 'none').toBeUndefined();
  });
});

describe("a line of Anthropic's", () => {
  const read = (result: object) => readAnthropicLine(JSON.stringify({ custom_id: 'x', result }));

  it('counts cached input in', () => {
    const usage = {
      input_tokens: 5,
      cache_read_input_tokens: 7,
      cache_creation_input_tokens: null,
      output_tokens: 2,
    };
    expect(read({ type: 'succeeded', message: { usage } })).toMatchObject({
      result: { outcome: 'succeeded', usage: { inputTokens: 12, outputTokens: 2 } },
    });
  });

  it('tells each end', () => {
    const error = { type: 'error', error: { type: 'invalid_request_error', message: 'no' } };
    expect(read({ type: 'errored', error })).toMatchObject({
      result: { outcome: 'failed', error: { code: 'invalid_request_error', message: 'no' } },
    });
    expect(outcomeOf(read({ type: 'errored', error: null }))).toBe('failed');
    expect(outcomeOf(read({ type: 'expired' }))).toBe('expired');
    expect(outcomeOf(read({ type: 'canceled' }))).toBe('cancelled');
    expect(outcomeOf(read({ type: 'something_new' }))).toBe('unreadable');
  });
});
