import { describe, expect, it } from 'vitest';
import { htmlText } from '../../../http/pages/html.ts';
import { savingsSection } from './report-html-spend.ts';
import { savedByCascades } from '../../../pricing/cascade-savings.ts';
import type { BatchReportDocument } from './report-document.ts';

describe('the savings of a batch on its page', () => {
  it('say of calls that are in no saving why', () => {
    const none = { readTokens: '0', paidUsd: '0', uncachedUsd: '0', writeSurchargeUsd: '0', savedUsd: '0' };
    const unvalued = { calls: 1, cachedTokens: '7', unpricedCalls: 0, openCalls: 2, freeCalls: 3 };
    const sharing = { answers: 0, savedUsd: '0' };
    const report = {
      savings: { caching: none, tiers: [], cascade: savedByCascades([]), sharing, unvalued, unknown: [] },
    };
    const page = htmlText(savingsSection(report as unknown as BatchReportDocument, 2));
    const text = page.replaceAll(/<[^>]*>/g, '').replaceAll(/\s+/g, ' ');
    const which = [...text.matchAll(/In no saving: ([^.]*)\./g)].map(([, part]) => part);
    expect(which).toEqual([
      '1 call in another tier or with cached tokens, with a price that the price book no longer names',
      '2 calls in another tier or with cached tokens, under way or of unknown outcome',
      '3 calls in another tier or with cached tokens, that cost nothing',
    ]);
  });
});
