import { describe, expect, it } from 'vitest';
import { retryAfterMs, retryInfoMs } from './retry-after.ts';

const now = new Date('2026-05-01T12:00:00Z');

describe('how long a provider asks to wait', () => {
  it.each([
    [{ 'retry-after-ms': '250', 'retry-after': '1' }, 250],
    [{ 'retry-after': '1.5' }, 1500],
    [{ 'retry-after': 'Fri, 01 May 2026 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Fri, 01 May 2026 11:00:00 GMT' }, 0],
    [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s' }, 360_000],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '20ms' }, 20],
    [{ 'x-ratelimit-remaining-tokens': '10', 'x-ratelimit-reset-tokens': '20ms' }, undefined],
    [
      {
        'anthropic-ratelimit-requests-remaining': '0',
        'anthropic-ratelimit-requests-reset': '2026-05-01T12:00:10Z',
        'anthropic-ratelimit-input-tokens-remaining': '0',
        'anthropic-ratelimit-input-tokens-reset': '2026-05-01T12:00:20Z',
      },
      20_000,
    ],
    [{ 'retry-after': '86400' }, 86_400_000],
    // Absurd ones are as long as a year; what is granted is bounded by configuration.
    [{ 'retry-after': '99999999' }, 31_622_400_000],
    [{ 'retry-after': '9'.repeat(400) }, 31_622_400_000],
    [{ 'retry-after-ms': '9'.repeat(400) }, 31_622_400_000],
    // The forms of a date, whatever zone this process is in.
    [{ 'retry-after': 'Friday, 01-May-26 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Fri May  1 12:00:30 2026' }, 30_000],
    [{ 'retry-after': '2026-05-01T14:00:30+02:00' }, 30_000],
    [{ 'retry-after': 'Fri, 01 May 2026 13:00:30 GMT', date: 'Fri, 01 May 2026 13:00:00 GMT' }, 30_000],
    [{ 'retry-after': 'Fri, 31 Dec 9999 23:59:59 GMT' }, 31_622_400_000],
    [{ 'retry-after': 'Fri, 41 May 2026 12:00:30 GMT' }, undefined],
    [{ 'retry-after': '20s' }, 20_000],
    [{ 'retry-after': '5, 7' }, 7000],
    [{ 'retry-after-ms': '-1', 'retry-after': '2' }, 2000],
    [{ 'retry-after-ms': '-1' }, undefined],
    [{ 'retry-after-ms': 'NaN' }, undefined],
    [{ 'retry-after': 'in 5 minutes' }, undefined],
    [{ 'retry-after': '0x10' }, undefined],
    [{ 'retry-after': '1e3' }, undefined],
    [{ 'retry-after': 'Infinity' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{ 'retry-after': '5, soon' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
    [{}, undefined],
  ] as const)('%j is %s ms', (headers, expected) => {
    expect(retryAfterMs(headers, now)).toBe(expected);
  });
});

describe("the wait in the body of Google's refusal", () => {
  const retryInfo = (retryDelay: unknown) => ({
    '@type': 'type.googleapis.com/google.rpc.RetryInfo',
    retryDelay,
  });
  const quota = { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [] };

  it.each([
    [{ details: [quota, retryInfo('34.074824224s')] }, 34_075],
    [{ details: [retryInfo('2s'), retryInfo('7s')] }, 7000],
    [{ details: [retryInfo('0s')] }, 0],
    [{ details: [retryInfo('9999999999s')] }, 31_622_400_000],
    [{ details: [retryInfo(`${'9'.repeat(400)}s`)] }, 31_622_400_000],
    [{ details: [retryInfo('-3s')] }, undefined],
    [{ details: [retryInfo('soon')] }, undefined],
    [{ details: [retryInfo(34)] }, undefined],
    [{ details: [{ ...retryInfo('5s'), '@type': 'type.googleapis.com/google.rpc.Help' }] }, undefined],
    [{ details: [null, 'x', [retryInfo('5s')]] }, undefined],
    [{ details: { 0: retryInfo('5s') } }, undefined],
    [{}, undefined],
    ['slow down', undefined],
    [undefined, undefined],
  ] as const)('%j asks for %s ms', (error, expected) => {
    expect(retryInfoMs(error)).toBe(expected);
  });

  it('is read of however many details', () => {
    expect(retryInfoMs({ details: Array.from({ length: 300_000 }, () => retryInfo('5s')) })).toBe(5000);
  });
});
