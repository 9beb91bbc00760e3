import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import type { PriceLookup } from './catalogue.ts';
import { parseOverlay, type PriceOverlay, readOverlayFile } from './overlay.ts';

const own = { provider: 'acme', rates: { uncached_input: '1', text_output: '2' } };

function overlay(...prices: object[]): PriceOverlay {
  return parseOverlay(JSON.stringify({ prices }), 'prices.json');
}

function referenceOf(catalogue: PriceOverlay, lookup: Partial<PriceLookup>): string | undefined {
  const { offer } = catalogue.find({
    provider: 'acme',
    follows: lookup.provider ?? 'acme',
    model: 'm',
    at: new Date('2026-05-01'),
    tier: 'default',
    batch: false,
    geography: 'global',
    ...lookup,
  });
  return offer?.reference.slice(offer.reference.indexOf(':', 'overlay:'.length) + 1);
}

function faultsOf(text: string): readonly string[] {
  try {
    parseOverlay(text, 'prices.json');
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe('MILLRACE_PRICE_OVERLAY_INVALID');
    return error.faults.map(({ field, problem }) => `${field}: ${problem}`);
  }
  return [];
}

describe('an overlay', () => {
  it('is named by its content', () => {
    const text = JSON.stringify({ prices: [{ ...own, model: 'm' }] });
    expect(parseOverlay(text, 'a').name).toMatch(/^overlay:[0-9a-f]{12}$/);
    expect(parseOverlay(text, 'a').name).toBe(parseOverlay(text, 'b').name);
    expect(parseOverlay(`${text}\n`, 'a').name).not.toBe(parseOverlay(text, 'a').name);
  });

  it('prefers the exact model, then the model without its date, then the longest prefix', () => {
    const entries = ['*', 'gpt*', 'gpt-5*', 'gpt-5', 'gpt-5-2025-08-07'].map((model) => ({ ...own, model }));
    for (const list of [entries, entries.toReversed()]) {
      const catalogue = overlay(...list);
      expect(referenceOf(catalogue, { model: 'gpt-5-2025-08-07' })).toBe('acme/gpt-5-2025-08-07@always');
      expect(referenceOf(catalogue, { model: 'gpt-5-2026-01-01' })).toBe('acme/gpt-5@always');
      expect(referenceOf(catalogue, { model: 'gpt-5-mini' })).toBe('acme/gpt-5*@always');
      expect(referenceOf(catalogue, { model: 'gpt-4' })).toBe('acme/gpt*@always');
      expect(referenceOf(catalogue, { model: 'o3' })).toBe('acme/*@always');
    }
  });

  it("prefers the provider's own entry to that of the provider it follows", () => {
    const catalogue = overlay(
      { ...own, provider: 'openai', model: 'm' },
      { ...own, provider: 'proxy', model: '*' },
    );
    expect(referenceOf(catalogue, { provider: 'proxy', follows: 'openai' })).toBe('proxy/*@always');
    expect(referenceOf(catalogue, { provider: 'other', follows: 'openai' })).toBe('openai/m@always');
    expect(referenceOf(catalogue, { provider: 'other' })).toBeUndefined();
  });

  it('holds from its first day and no longer than until, and says so', () => {
    const catalogue = overlay(
      { ...own, model: 'm', from: '2026-01-01', until: '2026-04-01' },
      { ...own, model: 'm', from: '2026-06-01T12:00:00Z' },
    );
    const find = (at: string) => referenceOf(catalogue, { at: new Date(at) });
    expect(find('2025-12-31T23:59:59.999Z')).toBeUndefined();
    expect(find('2026-01-01T00:00:00.000Z')).toBe('acme/m@2026-01-01');
    expect(find('2026-03-31T23:59:59.999Z')).toBe('acme/m@2026-01-01');
    expect(find('2026-04-01T00:00:00.000Z')).toBeUndefined();
    expect(find('2026-06-01T11:59:59.999Z')).toBeUndefined();
    expect(find('2026-06-01T12:00:00.000Z')).toBe('acme/m@2026-06-01T12:00:00Z');
  });

  it('keeps tiers and batch mode apart, and default, standard and auto together', () => {
    const catalogue = overlay(
      { ...own, model: 'm', tier: 'standard' },
      { ...own, model: 'm', tier: 'flex' },
      { ...own, model: 'm', batch: true },
    );
    expect(referenceOf(catalogue, {})).toBe('acme/m@always');
    expect(referenceOf(catalogue, { tier: 'flex' })).toBe('acme/m@always+flex');
    expect(referenceOf(catalogue, { batch: true })).toBe('acme/m@always+batch');
    expect(referenceOf(catalogue, { tier: 'flex', batch: true })).toBeUndefined();
    expect(referenceOf(catalogue, { tier: 'priority' })).toBeUndefined();
  });

  it('knows limits, the most specific first', () => {
    const catalogue = parseOverlay(
      JSON.stringify({
        limits: [
          { provider: 'acme', model: 'm*', maxOutputTokens: 100 },
          { provider: 'acme', model: 'm-1', maxOutputTokens: 200, contextTokens: 1000, asOf: '2026-01-01' },
        ],
      }),
      'prices.json',
    );
    const limits = (model: string) => catalogue.limits({ provider: 'acme', follows: 'acme', model });
    expect(limits('m-2')).toEqual({ maxOutputTokens: 100 });
    expect(limits('m-1')).toEqual({ maxOutputTokens: 200, contextTokens: 1000 });
    expect(limits('x')).toEqual({});
  });
});

describe('a faulty overlay', () => {
  it('is refused with all of its faults at once', () => {
    const faults = faultsOf(
      JSON.stringify({
        prices: [
          { provider: 'acme', model: 'a*b', rates: { uncached_input: '1' } },
          { provider: 'acme', model: 'm', rates: { uncached_input: 1.25 } },
          { provider: 'acme', model: 'm', from: '2026-02-30', rates: { uncached_input: '1' } },
          {
            provider: 'acme',
            model: 'm',
            from: '2026-02-02',
            until: '2026-02-02',
            rates: { uncached_input: '1' },
          },
          { provider: 'acme', model: 'm', rates: { input: '1' } },
          { provider: 'acme', model: 'm' },
          { provider: 'acme', model: 'm', tier: 'batch', multiplier: '0.5' },
          { provider: 'acme', model: 'm', multiplier: '-1' },
          { provider: 'acme', model: 'm', rates: { reasoning: '1' }, without: ['cache_read'] },
          { model: 'm', rates: { reasoning: '0.0000000000001' }, price: 1 },
        ],
        limits: [{ provider: 'acme', model: 'm', maxOutputTokens: 0 }],
        other: true,
      }),
    );
    const expected = [
      'prices.0.model: may have one *',
      'prices.1.rates.uncached_input: must be a decimal in quotes',
      'prices.2.from: must be a date',
      'prices.3.until: must be later than from',
      'prices.4.rates: ',
      'prices.5: must have rates, a multiplier or usdPerRequest',
      'prices.6.tier: batch is not a tier here',
      'prices.7.multiplier: must be',
      'prices.8.without: only says something beside a multiplier',
      'prices.9.provider: ',
      'prices.9.rates.reasoning: must be a decimal in quotes',
      'prices.9: ',
      'limits.0.maxOutputTokens: ',
      ': Unrecognized key: "other"',
    ];
    const unseen = expected.filter((start) => !faults.some((fault) => fault.startsWith(start)));
    expect(unseen).toEqual([]);
  });

  it('names tiers that do not ascend', () => {
    const tiers = [
      { aboveInputTokens: 200, usdPerMillion: '2' },
      { aboveInputTokens: 200, usdPerMillion: '3' },
    ];
    const rates = { uncached_input: { usdPerMillion: '1', tiers } };
    expect(faultsOf(JSON.stringify({ prices: [{ provider: 'acme', model: 'm', rates }] }))).toEqual([
      'prices.0.rates.uncached_input.tiers: must ascend by aboveInputTokens',
    ]);
  });

  it.each([
    [{}, {}, true],
    [{ from: '2026-01-01' }, { until: '2026-01-01' }, false],
    [{ from: '2026-01-01' }, { until: '2026-01-02' }, true],
    [{ from: '2026-01-01', until: '2026-03-01' }, { from: '2026-02-01', until: '2026-02-02' }, true],
    [{ tier: 'standard' }, { tier: 'auto' }, true],
    [{ tier: 'flex' }, {}, false],
    [{ batch: true }, {}, false],
    [{ model: 'M' }, {}, true],
    [{ model: 'm*' }, {}, false],
    [{ provider: 'other' }, {}, false],
  ])('%j beside %j overlaps: %s', (left, right, overlaps) => {
    const prices = [
      { ...own, model: 'm', ...left },
      { ...own, model: 'm', ...right },
    ];
    const faults = faultsOf(JSON.stringify({ prices }));
    expect(faults).toEqual(
      overlaps ? [expect.stringMatching(/^prices\.1: overlaps prices\.0 in time for acme\/m /)] : [],
    );
  });

  it('says what stands twice among the limits', () => {
    const limit = { provider: 'acme', model: 'm', maxOutputTokens: 1 };
    expect(faultsOf(JSON.stringify({ limits: [limit, limit] }))).toEqual([
      'limits.1: repeats limits.0 for acme/m',
    ]);
  });

  it('may not even be JSON', () => {
    expect(faultsOf('{')).toEqual([expect.stringContaining('is not JSON')]);
    expect(faultsOf('[]')).toHaveLength(1);
  });
});

describe('an overlay file', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-overlay-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is read from disk', async () => {
    const path = join(folder, 'prices.json');
    await writeFile(path, JSON.stringify({ prices: [{ ...own, model: 'm' }] }));
    expect(referenceOf(await readOverlayFile(path), {})).toBe('acme/m@always');
  });

  it('may look as docs/prices.md shows it', async () => {
    const page = await readFile(new URL('../../docs/prices.md', import.meta.url), 'utf8');
    const example = /```json\n(.*?)```/s.exec(page)?.[1] ?? '';
    expect(referenceOf(parseOverlay(example, 'prices.md'), { provider: 'openai', model: 'gpt-5-mini' })).toBe(
      'openai/gpt-5*@2026-01-01',
    );
  });

  it('that is missing is a fault of the overlay', async () => {
    await expect(readOverlayFile(join(folder, 'none.json'))).rejects.toMatchObject({
      code: 'MILLRACE_PRICE_OVERLAY_INVALID',
      message: expect.stringContaining('ENOENT') as string,
    });
  });
});
