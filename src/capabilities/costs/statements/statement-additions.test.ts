import { describe, expect, it } from 'vitest';
import { usd } from '../../../kernel/money.ts';
import { savedByCascades } from '../../../pricing/cascade-savings.ts';
import { htmlText } from '../../../http/pages/html.ts';
import { correctionsOf, savingsOf } from './statement-additions.ts';
import type { StatementDocument } from './statement-document.ts';
import { sectionTable } from './statement-table.ts';

type Correction = StatementDocument['corrections'][number];
type Savings = NonNullable<StatementDocument['savings']>;

const statementOf = (parts: Partial<StatementDocument>): StatementDocument => parts as StatementDocument;
const cells = (text: string): string[] =>
  [...text.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = '']) => cell.replaceAll(/<[^>]*>/g, '').trim());
const savings: Savings = {
  caching: {
    readTokens: '1000',
    paidUsd: '10',
    uncachedUsd: '100',
    writeSurchargeUsd: '5',
    savedUsd: '85',
  },
  tiers: [
    { tier: 'batch', calls: 2, paidUsd: '50', standardUsd: '100', savedUsd: '50' },
    { tier: 'priority', calls: 1, paidUsd: '40', standardUsd: '20', savedUsd: '-20' },
  ],
  cascade: savedByCascades([
    { verdict: 'accepted', calls: 3, unvaluedCalls: 0, costUsd: usd('3'), lastModelUsd: usd('30') },
    { verdict: 'escalated', calls: 1, unvaluedCalls: 0, costUsd: usd('1'), lastModelUsd: usd('0') },
  ]),
  waste: { wasteUsd: '0', causes: [] },
  unvalued: { calls: 3, cachedTokens: '7', unpricedCalls: 2, openCalls: 0, freeCalls: 4 },
  unknown: ['reused_answers'],
};

describe('what not every statement has', () => {
  it('is a table of corrected months with their sum, where there are some', () => {
    expect(correctionsOf(statementOf({ corrections: [] }), 2)).toBeUndefined();
    const corrections = [
      { month: '2026-08', costUsd: '-120.5' },
      { month: '2026-09', costUsd: '14.23' },
    ] as unknown as Correction[];
    const section = correctionsOf(statementOf({ corrections }), 2);
    expect(section && cells(htmlText(section))).toEqual([
      'August 2026',
      '−$120.50',
      'September 2026',
      '$14.23',
      'All corrections',
      '−$106.27',
    ]);
  });

  it('is what was paid, and would have been paid, with what is not known of it', () => {
    const section = savingsOf(statementOf({ savings }), 2);
    const text = section === undefined ? '' : htmlText(section);
    expect(cells(text)).toEqual([
      'Cached input',
      '$15.00',
      '$100.00',
      '$85.00',
      'Batch mode',
      '$50.00',
      '$100.00',
      '$50.00',
      'Priority tier',
      '$40.00',
      '$20.00',
      '−$20.00',
      'Cascades of models',
      '$4.00',
      '$30.00',
      '$26.00',
    ]);
    const notes = [...text.replaceAll(/\s+/g, ' ').matchAll(/Not in it: [^<]*/g)].map(([note]) =>
      note.trim(),
    );
    expect(notes).toEqual([
      'Not in it: 3 calls in another tier or with cached tokens, with a price that the price book no longer names.',
      'Not in it: 2 calls in another tier or with cached tokens, without a price.',
      'Not in it: 4 calls in another tier or with cached tokens, that cost nothing.',
    ]);
    expect(savingsOf(statementOf({}), 2)).toBeUndefined();
    const none = { ...savings, caching: { ...savings.caching, readTokens: '0', writeSurchargeUsd: '0' } };
    expect(
      savingsOf(
        statementOf({
          savings: {
            ...none,
            tiers: [],
            cascade: savedByCascades([]),
            unvalued: { calls: 0, cachedTokens: '0', unpricedCalls: 0, openCalls: 0, freeCalls: 0 },
          },
        }),
        2,
      ),
    ).toBeUndefined();
  });
});

describe('a table of a statement', () => {
  it('ends with the total, and says what is new and what has not changed', () => {
    const row = (feature: string, costUsd: string, before: string, changeRatio?: string) => ({
      key: { feature },
      costUsd,
      calls: 1,
      unpricedCalls: 0,
      share: '0.5',
      previous: { costUsd: before },
      ...(changeRatio === undefined ? {} : { changeRatio }),
    });
    const section = {
      rows: [row('a', '30', '0'), row('b', '0', '0'), row('c', '50', '100', '-0.5')],
      otherRows: true,
      otherUsd: '20',
      otherPreviousUsd: '10',
    } as unknown as Parameters<typeof sectionTable>[0]['section'];
    const table = sectionTable({
      heading: 'By feature',
      section,
      nameOf: ({ feature = '' }) => feature,
      digits: 2,
      total: { costUsd: '100', calls: 9, previous: { costUsd: '110' }, changeRatio: '-0.090909' },
    });
    const found = cells(htmlText(table));
    const change = 5;
    const columns = 7;
    expect([0, 1, 2, 3, 4].map((line) => found[line * columns + change])).toEqual([
      'new',
      '–',
      '−50.0 %',
      '+100.0 %',
      '−9.1 %',
    ]);
    expect(found.slice(3 * columns, 3 * columns + 3)).toEqual(['All others', '$20.00', '20.0 %']);
    expect(found.slice(4 * columns, 4 * columns + 3)).toEqual(['Total', '$100.00', '100.0 %']);
    expect(found.at(-1)).toBe('9');
  });
});
