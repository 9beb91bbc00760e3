import { expect, it } from 'vitest';
import { usd } from '../kernel/money.ts';
import { cascadeText, hasCascades, savedByCascades } from './cascade-savings.ts';

it('a cascade of which too little is taken has a saving below nothing', () => {
  const savings = savedByCascades([
    { verdict: 'accepted', calls: 1, unvaluedCalls: 0, costUsd: usd('0.1'), lastModelUsd: usd('1') },
    { verdict: 'escalated', calls: 20, unvaluedCalls: 2, costUsd: usd('1.8'), lastModelUsd: usd('0') },
    { verdict: 'none', calls: 1, unvaluedCalls: 0, costUsd: usd('0.05'), lastModelUsd: usd('0') },
  ]);
  expect(savings).toEqual({
    acceptedCalls: 1,
    escalatedCalls: 20,
    otherCalls: 1,
    paidUsd: '1.95',
    unacceptedUsd: '1.85',
    lastModelUsd: '1',
    savedUsd: '-0.95',
    unvaluedCalls: 2,
  });
  expect(cascadeText(savings, (amount) => amount)).toBe(
    'Answers of smaller models in cascades that were taken: 1 of 21; the others cost 1.85 USD; calls without a known price, in no amount: 2.',
  );
  expect([hasCascades(savings), hasCascades(savedByCascades([]))]).toEqual([true, false]);
});
