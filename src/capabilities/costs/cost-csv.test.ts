import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderCostCsv } from './cost-csv.ts';
import { openLines } from './open-lines.ts';
import { costFigureNames, type CostReportDocument } from './cost-report-document.ts';

const figures = {
  costUsd: '-0.5',
  calls: 1,
  messages: 1,
  inputTokens: 1,
  outputTokens: 1,
  wasteUsd: '0',
  unpricedCalls: 0,
  unsettledCalls: 0,
  estimatedCalls: 0,
  openUpperBoundUsd: '0',
  suspectCalls: 0,
};

const reportOf = (customers: readonly string[]): CostReportDocument => ({
  from: '2026-03-01T00:00:00.000Z',
  to: '2026-03-02T00:00:00.000Z',
  groupBy: ['customer'],
  timeZone: 'UTC',
  currency: 'USD',
  source: 'rollups',
  groups: customers.map((customer) => ({ key: { customer }, ...figures })),
  totals: figures,
  messageCount: 'exact',
  truncated: false,
});

/** The cells of CSV text, read as RFC 4180 says. */
function cellsOf(csv: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain = '', end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

describe('a cost report as CSV', () => {
  it('keeps every text as it is, but for an apostrophe before what looks like a formula', () => {
    const text = fc.string({ unit: fc.constantFrom(...'=+-@"\',;\r\n\tabc '.split('')), maxLength: 8 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), (customers) => {
        const [header, ...rows] = cellsOf(renderCostCsv(reportOf(customers)));
        expect(header).toEqual(['customer', ...costFigureNames, 'share']);
        expect(rows.map(([cell]) => cell)).toEqual(
          customers.map((customer) => (/^[=+\-@\t\r\n]/.test(customer) ? `'${customer}` : customer)),
        );
        for (const [cell = ''] of rows) expect(cell).not.toMatch(/^[=+\-@\t\r\n]/);
      }),
    );
  });

  it('leaves numbers alone, negative ones too', () => {
    expect(cellsOf(renderCostCsv(reportOf(['x'])))[1]?.[1]).toBe('-0.5');
  });
});

describe('what a total does not say', () => {
  it.each([
    [{}, []],
    [
      { unsettledCalls: 17, openUpperBoundUsd: '4.35' },
      ['17 calls are unsettled and not in the total: at most 4.35 USD more.'],
    ],
    [
      { estimatedCalls: 1, openUpperBoundUsd: '2' },
      ['1 call is in the total as estimated, and can have cost at most 2 USD.'],
    ],
    [
      { unpricedCalls: 1, unsettledCalls: 1, estimatedCalls: 2, suspectCalls: 1, openUpperBoundUsd: '3' },
      [
        '1 call has no price and is not in the sums.',
        '1 call is unsettled and not in the total, and 2 calls are in it as estimated: together these calls can have cost at most 3 USD.',
        '1 of the estimated calls is suspect: their providers reported more tokens than the requests can have caused.',
      ],
    ],
  ])('%j', (open, lines) => {
    expect(openLines({ ...figures, ...open })).toEqual(lines);
  });
});
