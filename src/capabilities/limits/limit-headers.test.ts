import { describe, expect, it } from 'vitest';
import { readLimit } from './limit-headers.ts';

describe('readLimit', () => {
  it("reads OpenAI's headers", () => {
    const headers = { 'x-ratelimit-limit-tokens': '30000', 'x-ratelimit-remaining-tokens': '0' };
    expect(readLimit(headers, 'tokens')).toEqual({ perMinute: 30_000, remaining: 0 });
    expect(readLimit(headers, 'requests')).toEqual({ perMinute: undefined, remaining: undefined });
  });

  it("reads Anthropic's headers", () => {
    const headers = {
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '49',
    };
    expect(readLimit(headers, 'requests')).toEqual({ perMinute: 50, remaining: 49 });
  });

  it.each(['', 'many', '-1', '1.5', '0x10', '9'.repeat(30)])('takes "%s" for no answer', (text) => {
    expect(readLimit({ 'x-ratelimit-remaining-requests': text }, 'requests').remaining).toBeUndefined();
  });

  it('believes in no limit of nothing', () => {
    expect(readLimit({ 'x-ratelimit-limit-requests': '0' }, 'requests').perMinute).toBeUndefined();
    expect(readLimit(undefined, 'tokens')).toEqual({ perMinute: undefined, remaining: undefined });
  });
});
