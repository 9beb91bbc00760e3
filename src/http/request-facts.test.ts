import { describe, expect, it } from 'vitest';
import { pathOf, shownPathOf } from './request-facts.ts';

describe('the path of a request', () => {
  it('is without its query', () => {
    expect(['/v1/costs?team=a', '/v1/costs#x', '/v1/costs'].map((url) => pathOf(url))).toEqual([
      '/v1/costs',
      '/v1/costs',
      '/v1/costs',
    ]);
  });

  it('is shown without the token of a wait, good or not', () => {
    const token = `mw_${'a-B_9'.repeat(9).slice(0, 43)}`;
    expect(shownPathOf(`/v1/waits/${token}`)).toBe('/v1/waits/mw_…');
    expect(shownPathOf(`/v1/waits/${token}/?x=${token}`)).toBe('/v1/waits/mw_…/');
    expect(shownPathOf('/v1/waits/mw_too-short%00')).toBe('/v1/waits/mw_…');
    expect(shownPathOf(`/v1/%77aits/%6Dw_${token.slice(3)}`)).toBe('/v1/waits/mw_…');
    expect(shownPathOf('/v1/waits/other')).toBe('/v1/waits/mw_…');
    expect(shownPathOf('/v1/batches/a%20b%zz')).toBe('/v1/batches/a%20b%zz');
    expect(shownPathOf('/v1/batches/mw.x')).toBe('/v1/batches/mw.x');
  });
});
