import { describe, expect, it } from 'vitest';
import { GenaiPricesCatalogue } from './catalogue.genai-prices.ts';
import { compareCatalogues } from './catalogue-comparison.ts';
import { type ReadCatalogue, readCatalogueText } from './catalogue-file.ts';

const at = new Date('2026-11-30T00:00:00Z');
const model = (id: string, prices: object) => ({ id, match: { equals: id }, prices });
const text = (...models: readonly object[]) => JSON.stringify([{ id: 'house', name: 'House', models }]);

function read(content: string): ReadCatalogue {
  const catalogue = readCatalogueText(content);
  if ('faults' in catalogue) throw new Error(JSON.stringify(catalogue.faults));
  return catalogue;
}
const catalogue = (...models: readonly object[]) => new GenaiPricesCatalogue(read(text(...models)));

describe('another catalogue', () => {
  it('is told from the present one by models, rates and percent', () => {
    const before = catalogue(
      model('a', { input_mtok: 1, output_mtok: { base: 4, tiers: [{ start: 200_000, price: 8 }] } }),
      ...Array.from({ length: 20 }, (_, n) => model(`m${n}`, { input_mtok: 1 })),
      model('gone', { input_mtok: 1 }),
    );
    const after = catalogue(
      model('a', { input_mtok: 1.25, output_mtok: { base: 4, tiers: [{ start: 200_000, price: 6 }] } }),
      ...Array.from({ length: 20 }, (_, n) => model(`m${n}`, { input_mtok: 1 })),
      model('new', { input_mtok: 1 }),
    );
    expect(compareCatalogues(before, after, at)).toEqual({
      added: [{ provider: 'house', model: 'new' }],
      removed: [{ provider: 'house', model: 'gone' }],
      changed: [
        {
          provider: 'house',
          model: 'a',
          kind: 'reasoning',
          aboveInputTokens: 200_000,
          beforeUsd: '8',
          afterUsd: '6',
          percent: '-25',
        },
        {
          provider: 'house',
          model: 'a',
          kind: 'text_output',
          aboveInputTokens: 200_000,
          beforeUsd: '8',
          afterUsd: '6',
          percent: '-25',
        },
        {
          provider: 'house',
          model: 'a',
          kind: 'uncached_input',
          beforeUsd: '1',
          afterUsd: '1.25',
          percent: '25',
        },
      ].filter(({ kind }) => kind !== 'reasoning'),
      absurd: [],
    });
  });

  it.each([
    ['six times the price', model('a', { input_mtok: 6 }), 1],
    ['a sixth', model('a', { input_mtok: 0.16 }), 1],
    ['nothing', model('a', { input_mtok: 0 }), 1],
    ['five times', model('a', { input_mtok: 5 }), 0],
    ['another model alone', model('b', { input_mtok: 1 }), 1],
  ])('of %s is absurd or not', (_, changed, absurd) => {
    const before = catalogue(model('a', { input_mtok: 1 }));
    expect(compareCatalogues(before, catalogue(changed), at).absurd).toHaveLength(absurd);
  });

  it('changes nothing where it is the packaged one', () => {
    const packaged = new GenaiPricesCatalogue();
    expect(packaged.listed.length).toBeGreaterThan(500);
    expect(compareCatalogues(packaged, packaged, at)).toEqual({
      added: [],
      removed: [],
      changed: [],
      absurd: [],
    });
  });

  it.each([
    ['no JSON', '{'],
    ['no list', '{}'],
    ['nothing', '[]'],
    ['a provider twice', `[${text().slice(1, -1)},${text().slice(1, -1)}]`],
    ['a negative price', text(model('a', { input_mtok: -1 }))],
    ['a price as text', text(model('a', { input_mtok: '1' }))],
    ['a rule that can take for ever', text({ id: 'a', match: { regex: '^(a+)+$' }, prices: {} })],
    ['a rule that is none', text({ id: 'a', match: { regex: '(' }, prices: {} })],
    ['a rule of no kind', text({ id: 'a', match: { sounds_like: 'a' }, prices: {} })],
  ])('is refused with %s', (_, content) => {
    expect(readCatalogueText(content)).toHaveProperty('faults');
  });

  it('is refused with rules that are nested without end', () => {
    const depth = 20_000;
    const match = `${'{"or":['.repeat(depth)}{"equals":"a"}${']}'.repeat(depth)}`;
    const content = `[{"id":"house","name":"House","models":[{"id":"a","match":${match},"prices":{}}]}]`;
    expect(readCatalogueText(content)).toHaveProperty('faults');
  });
});
