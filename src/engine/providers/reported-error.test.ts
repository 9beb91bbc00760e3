import { APICallError, TypeValidationError } from '@ai-sdk/provider';
import { describe, expect, it } from 'vitest';
import { classifyModelError } from './classify-model-error.ts';

const now = new Date('2026-05-01T12:00:00Z');

function success(body: unknown, responseHeaders: Record<string, string> = {}): APICallError {
  return new APICallError({
    message: 'Invalid JSON response',
    url: 'https://api.example/v1',
    requestBodyValues: {},
    statusCode: 200,
    responseHeaders,
    responseBody: JSON.stringify(body),
  });
}

describe('an error in an answer that HTTP called a success', () => {
  it.each([
    [{ error: { code: 401, message: 'No auth credentials found' } }, 'authentication', 'free'],
    [{ error: { code: '401', message: 'x' } }, 'authentication', 'free'],
    [{ error: { code: 'invalid_api_key', message: 'x' } }, 'authentication', 'free'],
    [{ error: { code: 429, message: 'x', metadata: { raw: 'slow down' } } }, 'rate_limited', 'free'],
    [{ error: { code: 'rate_limit_exceeded', message: 'x' } }, 'rate_limited', 'free'],
    [{ error: 'Rate limit reached' }, 'rate_limited', 'free'],
    [[{ error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'x' } }], 'rate_limited', 'free'],
    [{ error: { code: 404, message: 'x' } }, 'not_found', 'free'],
    [{ type: 'error', error: { type: 'authentication_error', message: 'x' } }, 'authentication', 'free'],
    [{ type: 'error', error: { type: 'overloaded_error', message: 'x' } }, 'overloaded', 'unknown'],
    [{ error: { code: 503, message: 'x' } }, 'overloaded', 'unknown'],
    [{ status: 'failed', error: { code: 'server_error', message: 'x' } }, 'server_error', 'unknown'],
    [{ status: 'failed', error: { code: 'rate_limit_exceeded', message: 'x' } }, 'rate_limited', 'free'],
    [{ error: { message: 'something odd' } }, 'server_error', 'unknown'],
  ] as const)('%j is %s, %s', (body, kind, billing) => {
    expect(classifyModelError(success(body), now)).toMatchObject({ kind, billing });
  });

  it("keeps the provider's words, and how long to wait", () => {
    const body = { error: { code: 429, message: 'Provider error', metadata: { raw: 'slow down' } } };
    expect(classifyModelError(success(body, { 'retry-after': '7' }), now)).toMatchObject({
      message: 'Provider error: slow down',
      retryAfterMs: 7000,
    });
  });

  it("keeps how long to wait where the body alone says it, as Google's do", () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34s' }];
    expect(classifyModelError(success([{ error: { code: 429, message: 'x', details } }]), now)).toMatchObject(
      {
        kind: 'rate_limited',
        retryAfterMs: 34_000,
      },
    );
  });

  it('is not free when it brings usage', () => {
    const body = { error: { code: 429, message: 'x' }, usage: { prompt_tokens: 3 } };
    expect(classifyModelError(success(body), now)).toMatchObject({
      kind: 'rate_limited',
      billing: 'unknown',
    });
  });

  it('leaves an answer without an error malformed', () => {
    expect(classifyModelError(success({ error: null, choices: 1 }), now).kind).toBe('malformed_answer');
  });
});

describe('an error in mid-stream', () => {
  it.each([
    [{ code: 401, message: 'x' }, 'authentication'],
    [{ code: '429', message: 'x' }, 'rate_limited'],
    [{ code: 'rate_limit_exceeded', message: 'x' }, 'rate_limited'],
    [{ message: 'x', type: 'overloaded_error', statusCode: 529 }, 'overloaded'],
  ] as const)('%j is %s, and may have been billed', (error, kind) => {
    expect(classifyModelError(error, now)).toMatchObject({ kind, billing: 'unknown' });
  });

  it('in a chunk that the client cannot read is still read', () => {
    const error = new TypeValidationError({ value: { error: { code: 401 } }, cause: new Error('invalid') });
    expect(classifyModelError(error, now)).toMatchObject({ kind: 'authentication', billing: 'unknown' });
  });
});
