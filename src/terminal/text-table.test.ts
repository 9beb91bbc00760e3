import { describe, expect, it } from 'vitest';
import { usd } from '../kernel/money.ts';
import { formatCount, renderTable, roundedUsd } from './text-table.ts';

describe('a table', () => {
  it('has columns as wide as their widest cells, numbers on the right', () => {
    const columns = [{ title: 'team' }, { title: 'USD', align: 'right' as const }];
    expect(
      renderTable(columns, [
        ['growth', '12.5'],
        ['x', '7'],
      ]),
    ).toBe(['team     USD', '──────  ────', 'growth  12.5', 'x          7'].join('\n'));
  });

  it('has a head also without rows, and no blanks at the ends of lines', () => {
    expect(renderTable([{ title: 'a' }, { title: 'bb' }], [])).toBe('a  bb\n─  ──');
    expect(renderTable([{ title: 'a' }, { title: 'bb' }], [['', '']])).toBe('a  bb\n─  ──\n');
  });
});

describe('figures', () => {
  it('are grouped by thousands, and amounts rounded half up to six digits', () => {
    expect(formatCount(1_234_567)).toBe('1,234,567');
    expect(roundedUsd(usd('0.0000005'))).toBe('0.000001');
    expect(roundedUsd(usd('0.0000004999'))).toBe('0.000000');
    expect(roundedUsd(usd('1234.5'))).toBe('1234.500000');
  });
});
