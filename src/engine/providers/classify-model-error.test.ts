import {
  APICallError,
  InvalidPromptError,
  InvalidResponseDataError,
  LoadAPIKeyError,
} from '@ai-sdk/provider';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { abortFailure, classifyModelError, modelError, streamCutFailure } from './classify-model-error.ts';

const now = new Date('2026-05-01T12:00:00Z');

function httpError(
  statusCode: number,
  body: unknown,
  responseHeaders: Record<string, string> = {},
): APICallError {
  const message = (body as { error?: { message?: string } }).error?.message ?? 'failed';
  return new APICallError({
    message,
    url: 'https://api.example/v1',
    requestBodyValues: { prompt: 'secret' },
    statusCode,
    responseHeaders,
    responseBody: JSON.stringify(body),
  });
}

function networkError(code: string, statusCode?: number): APICallError {
  const cause = Object.assign(new Error(code), { code });
  return new APICallError({
    message: `Cannot connect to API: ${code}`,
    url: 'https://api.example/v1',
    requestBodyValues: {},
    cause,
    ...(statusCode === undefined ? {} : { statusCode }),
  });
}

describe('an HTTP answer with an error status', () => {
  it.each([
    [400, { error: { message: 'bad', type: 'invalid_request_error' } }, 'bad_request'],
    [400, { error: { message: 'x', code: 'context_length_exceeded' } }, 'context_too_long'],
    [
      400,
      {
        type: 'error',
        error: { type: 'invalid_request_error', message: 'prompt is too long: 9 tokens > 8 maximum' },
      },
      'context_too_long',
    ],
    [413, { type: 'error', error: { type: 'request_too_large', message: 'too large' } }, 'context_too_long'],
    [400, { error: { message: 'x', code: 'content_policy_violation' } }, 'content_policy'],
    [
      400,
      { error: { type: 'invalid_request_error', message: 'Output blocked by content filtering policy' } },
      'content_policy',
    ],
    [401, { error: { message: 'x' } }, 'authentication'],
    [402, { error: { message: 'x' } }, 'authentication'],
    [403, { error: { message: 'x' } }, 'authentication'],
    [404, { error: { message: 'x', code: 'model_not_found' } }, 'not_found'],
    [409, { error: { message: 'x' } }, 'conflict'],
    [422, { error: { message: 'x' } }, 'bad_request'],
    [429, { error: { message: 'x', code: 'rate_limit_exceeded' } }, 'rate_limited'],
    [500, { error: { message: 'x' } }, 'server_error'],
    [503, { error: { message: 'x' } }, 'overloaded'],
    [502, { error: { message: 'x', code: 'rate_limit_exceeded' } }, 'server_error'],
    [504, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'overloaded'],
    [529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'overloaded'],
  ] as const)('%i %j is %s, and free', (status, body, kind) => {
    expect(classifyModelError(httpError(status, body), now)).toMatchObject({ kind, billing: 'free' });
  });

  it.each([
    [408, { error: { message: 'x' } }, 'conflict'],
    [502, 'no JSON', 'server_error'],
    [502, { error: { message: 'Upstream error', type: 'server_error' } }, 'server_error'],
    [504, { error: { message: 'x' } }, 'timeout'],
    [520, 'no JSON', 'server_error'],
    [522, 'no JSON', 'server_error'],
    [524, 'no JSON', 'server_error'],
  ] as const)('%i %j is %s of a gateway, and may be billed', (status, body, kind) => {
    expect(classifyModelError(httpError(status, body), now)).toMatchObject({ kind, billing: 'unknown' });
  });

  it('says how long to wait, where waiting helps', () => {
    const headers = { 'retry-after': '7' };
    expect(classifyModelError(httpError(429, {}, headers), now).retryAfterMs).toBe(7000);
    expect(classifyModelError(httpError(400, {}, headers), now).retryAfterMs).toBeUndefined();
  });

  it("says how long to wait where Google's body alone does, also in an array", () => {
    const retryInfo = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.074824224s' };
    const body = { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'x', details: [retryInfo] } };
    for (const told of [body, [body]])
      expect(classifyModelError(httpError(429, told), now).retryAfterMs).toBe(34_075);
    expect(classifyModelError(httpError(429, body, { 'retry-after': '7' }), now).retryAfterMs).toBe(7000);
    const bad = { error: { code: 400, message: 'x', details: [retryInfo] } };
    expect(classifyModelError(httpError(400, bad), now).retryAfterMs).toBeUndefined();
  });
});

describe('an error inside an answer that had begun', () => {
  it('is not free: a response object with an error', () => {
    const usage = { input_tokens: 5, output_tokens: 1 };
    const error = new APICallError({
      message: 'The model failed',
      url: '',
      requestBodyValues: {},
      statusCode: 400,
      // As the SDK hands it on: parsed.
      responseBody: {
        error: { code: 'server_error', message: 'The model failed' },
        usage,
      } as unknown as string,
    });
    expect(classifyModelError(error, now)).toMatchObject({ kind: 'server_error', billing: 'unknown', usage });
  });

  it('is not free: an error frame of an event stream', () => {
    const error = httpError(
      503,
      { type: 'overloaded_error', message: 'Overloaded' },
      { 'content-type': 'text/event-stream' },
    );
    expect(classifyModelError(error, now)).toMatchObject({ kind: 'overloaded', billing: 'unknown' });
    const part = {
      message: 'Overloaded',
      type: 'overloaded_error',
      statusCode: 529,
      data: { type: 'overloaded_error' },
    };
    expect(classifyModelError(part, now)).toMatchObject({ kind: 'overloaded', billing: 'unknown' });
  });

  it('keeps the usage of an answer that cannot be read otherwise', () => {
    const usage = { prompt_tokens: 3, completion_tokens: 2 };
    expect(classifyModelError(httpError(200, { choices: 'none', usage }), now)).toMatchObject({
      kind: 'malformed_answer',
      billing: 'unknown',
      usage,
    });
    const noChoices = new InvalidResponseDataError({ data: { choices: [], usage } });
    expect(classifyModelError(noChoices, now)).toMatchObject({
      kind: 'malformed_answer',
      billing: 'unknown',
      usage,
    });
  });
});

describe('a network error', () => {
  it.each([
    ['ECONNREFUSED', 'network', 'free'],
    ['ENOTFOUND', 'network', 'free'],
    ['UND_ERR_CONNECT_TIMEOUT', 'timeout', 'free'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'network', 'free'],
    ['ECONNRESET', 'network', 'unknown'],
    ['UND_ERR_SOCKET', 'network', 'unknown'],
    ['UND_ERR_HEADERS_TIMEOUT', 'timeout', 'unknown'],
  ] as const)('%s is %s and %s', (code, kind, billing) => {
    expect(classifyModelError(networkError(code), now)).toMatchObject({ kind, billing });
  });

  it('within an answer cuts it', () => {
    expect(classifyModelError(networkError('UND_ERR_SOCKET', 200), now)).toMatchObject({
      kind: 'stream_cut',
      billing: 'unknown',
    });
  });
});

describe('other failures', () => {
  it('before anything was sent are free', () => {
    expect(classifyModelError(new LoadAPIKeyError({ message: 'no key' }), now)).toMatchObject({
      kind: 'authentication',
      billing: 'free',
    });
    expect(classifyModelError(new InvalidPromptError({ prompt: '', message: 'bad' }), now)).toMatchObject({
      kind: 'bad_request',
      billing: 'free',
    });
  });

  it('that nobody knows may have been billed', () => {
    expect(classifyModelError(new TypeError('x is not a function'), now)).toMatchObject({
      kind: 'failed',
      billing: 'unknown',
    });
    expect(classifyModelError('words', now)).toMatchObject({ kind: 'failed', billing: 'unknown' });
  });

  it('by abort tell a time-out from the rest', () => {
    expect(abortFailure(new DOMException('late', 'TimeoutError')).kind).toBe('timeout');
    expect(abortFailure(new DOMException('stop', 'AbortError')).kind).toBe('aborted');
    expect(abortFailure(new AppError('MILLRACE_LEASE_EXPIRED', 'gone')).kind).toBe('aborted');
    expect(abortFailure(undefined).kind).toBe('aborted');
  });
});

describe('the error for the handler', () => {
  it('never carries what was asked or answered', () => {
    const original = httpError(500, { error: { message: 'broken' } });
    const error = modelError(classifyModelError(original, now), { model: 'openai/gpt-5', cause: original });
    expect(error).toMatchObject({ code: 'MILLRACE_MODEL_SERVER_ERROR', retryable: true });
    expect(error.message).toBe('openai/gpt-5: broken');
    expect(error.cause).toMatchObject({ name: 'AI_APICallError', message: 'broken' });
    expect(JSON.stringify([error.cause, Object.values(error.cause as object)])).not.toContain('secret');
    expect(APICallError.isInstance(error.cause)).toBe(false);
  });

  it('is never one that the SDK would try again', () => {
    for (const failure of [streamCutFailure('cut'), classifyModelError(httpError(429, {}), now)]) {
      expect(APICallError.isInstance(modelError(failure, { model: 'm', cause: undefined }))).toBe(false);
    }
  });

  it('of an abort may be tried again where its reason may', () => {
    const lost = new AppError('MILLRACE_LEASE_EXPIRED', 'gone');
    expect(modelError(abortFailure(lost), { model: 'm', cause: lost })).toMatchObject({
      retryable: true,
      cause: lost,
    });
    const cancelled = new AppError('MILLRACE_LEASE_EXPIRED', 'gone', { retryable: false });
    expect(modelError(abortFailure(cancelled), { model: 'm', cause: cancelled }).retryable).toBe(false);
  });

  it('has a text that every store takes', () => {
    const failure = streamCutFailure(`a\u0000b\ud800${'x'.repeat(5000)}`);
    const { message } = modelError(failure, { model: 'm', cause: undefined });
    expect(message.isWellFormed()).toBe(true);
    expect(message).not.toContain('\u0000');
    expect(message.length).toBeLessThan(1100);
  });
});
