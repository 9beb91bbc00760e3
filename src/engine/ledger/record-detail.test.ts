import { describe, expect, it } from 'vitest';
import { usd } from '../../kernel/money.ts';
import { usageDetail } from './record-detail.ts';

describe('the detail of a settled call', () => {
  it('has its cost by class, its uses of tools and its list price', () => {
    const detail = usageDetail(
      { text_output: 10 },
      {
        total: usd('0.5'),
        byClass: { text_output: usd('0.1') },
        request: usd('0.38'),
        units: usd('0.02'),
        uses: { web_search: 2, code_execution: 1 },
        list: usd('0.12'),
      },
    );
    expect(JSON.parse(`{${detail}}`)).toEqual({
      cost_text_output: '0.1',
      cost_request: '0.38',
      cost_units: '0.02',
      list_cost_usd: '0.12',
      units: { web_search: 2, code_execution: 1 },
    });
  });

  it('names uses without a price', () => {
    const cost = { total: usd('0'), byClass: {}, request: usd('0'), uses: { file_search: 1 } };
    expect(usageDetail({}, cost)).toBe('"units":{"file_search":1}');
  });
});
