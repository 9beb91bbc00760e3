import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitHeaders, RateLimits } from './rate-limits.ts';

const now = new Date('2026-11-22T12:00:00Z');

describe('rate limits', () => {
  it('refuse the request after the last one and say when the next goes through', () => {
    const limits = new RateLimits({ 'gpt-5': { requestsPerMinute: 2 } });
    expect(limits.take('gpt-5', 10, 0).kind).toBe('admitted');
    expect(limits.take('gpt-5', 10, 0).kind).toBe('admitted');
    const refused = limits.take('gpt-5', 10, 0);
    expect(refused).toMatchObject({ kind: 'refused', what: 'requests', limit: 2, retryAfterMs: 30_000 });
    expect(limits.take('gpt-5', 10, 29_999).kind).toBe('refused');
    expect(limits.take('gpt-5', 10, 30_000).kind).toBe('admitted');
  });

  it('count tokens apart from requests, and take nothing from the one when the other refuses', () => {
    const limits = new RateLimits({ '*': { tokensPerMinute: 1000 } });
    expect(limits.take('a', 800, 0).kind).toBe('admitted');
    expect(limits.take('a', 300, 0)).toMatchObject({ kind: 'refused', what: 'tokens', retryAfterMs: 6000 });
    expect(limits.peek('a', 0).requests.remaining).toBe(29_999);
    expect(limits.take('b', 800, 0).kind).toBe('admitted');
  });

  it('let a request through that is larger than the whole bucket when it is full', () => {
    const limits = new RateLimits({ '*': { tokensPerMinute: 100 } });
    expect(limits.take('a', 5000, 0).kind).toBe('admitted');
    expect(limits.take('a', 1, 0).kind).toBe('refused');
  });

  it('never admit more than the limit and what refilled', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2000 }), { maxLength: 200 }), (gaps) => {
        const limits = new RateLimits({ '*': { requestsPerMinute: 60 } });
        let atMs = 0;
        let admitted = 0;
        for (const gap of gaps) {
          atMs += gap;
          if (limits.take('m', 1, atMs).kind === 'admitted') admitted += 1;
        }
        expect(admitted).toBeLessThanOrEqual(60 + atMs / 1000);
      }),
    );
  });

  it('tell their state in each provider’s headers', () => {
    const limits = new RateLimits({ m: { requestsPerMinute: 60, tokensPerMinute: 600 } });
    const { state } = limits.take('m', 60, 0);
    expect(limitHeaders('openai', state, now)).toEqual({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1.000s',
      'x-ratelimit-limit-tokens': '600',
      'x-ratelimit-remaining-tokens': '540',
      'x-ratelimit-reset-tokens': '6.000s',
    });
    expect(limitHeaders('anthropic', state, now)).toMatchObject({
      'anthropic-ratelimit-tokens-remaining': '540',
      'anthropic-ratelimit-tokens-reset': '2026-11-22T12:00:06.000Z',
    });
  });
});
