import { describe, expect, it } from 'vitest';
import type { RequestOutcome } from '../provider/provider-batch-request.ts';
import { endOfRequest } from './end-of-request.ts';

const outcome = (parts: Partial<RequestOutcome>): RequestOutcome => ({
  id: 'call',
  outcome: 'failed',
  statusCode: undefined,
  result: undefined,
  error: undefined,
  ...parts,
});

describe('the end of a request in a provider batch', () => {
  it('is its answer, as the provider wrote it', () => {
    const succeeded = outcome({ outcome: 'succeeded', statusCode: 200, result: '{"a":1.0}' });
    expect(endOfRequest(succeeded)).toEqual({
      kind: 'answered',
      answer: { statusCode: 200, body: '{"a":1.0}' },
    });
  });

  it.each([
    [{ outcome: 'expired' }, 'timeout'],
    [{ outcome: 'cancelled' }, 'aborted'],
    [{ statusCode: 400, error: { code: 'odd', message: '' } }, 'bad_request'],
    [{ statusCode: 429, error: { code: 'odd', message: '' } }, 'rate_limited'],
    [{ statusCode: 500, error: { code: 'odd', message: '' } }, 'server_error'],
    [{ statusCode: 0, error: { code: 'http_0', message: '' } }, 'server_error'],
    [{ error: { code: 'invalid_request_error', message: '' } }, 'bad_request'],
    [{ error: { code: 'token_limit_exceeded', message: '' } }, 'rate_limited'],
    [{ error: { code: 'batch:token_limit_exceeded', message: '' } }, 'rate_limited'],
    [{ error: { code: 'batch:http_404', message: '' } }, 'failed'],
    [{ error: { code: 'batch:invalid_request', message: '' } }, 'failed'],
    [{ error: { code: 'batch:failed', message: '' } }, 'server_error'],
    [{ error: { code: 'never heard of', message: '' } }, 'server_error'],
    [{}, 'server_error'],
  ] as const)('that failed as %o is a failure of the kind %s, unbilled', (parts, failure) => {
    expect(endOfRequest(outcome(parts))).toMatchObject({ kind: 'failed', failure });
  });

  it('that is missing may have been billed', () => {
    expect(endOfRequest(outcome({ outcome: 'missing' })).kind).toBe('unknown');
    expect(endOfRequest(outcome({ outcome: 'succeeded' })).kind).toBe('unknown');
  });
});
