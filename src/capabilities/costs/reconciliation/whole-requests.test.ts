import { expect, it } from 'vitest';
import { formatUsd, usd, zeroUsd } from '../../../kernel/money.ts';
import type { CallStatus, LedgerCall } from './ledger-usage.ts';
import { wholeRequests } from './whole-requests.ts';

const at = new Date('2026-11-03T10:00:00Z');

function call(id: string, costUsd: string, tokens: number, parts: Partial<LedgerCall> = {}): LedgerCall {
  const status: CallStatus = 'settled';
  return {
    id,
    requestId: '',
    day: '2026-11-03',
    provider: 'openrouter',
    model: 'embedder',
    answeredModel: 'embedder',
    tier: 'default',
    status,
    costUsd: usd(costUsd),
    boundUsd: zeroUsd,
    tokens: { uncached_input: tokens },
    outcome: 'ok',
    errorType: '',
    durationMs: 5,
    sentAt: at,
    recordedAt: at,
    ...parts,
  };
}

it('puts the parts of a shared request together, and nothing else', () => {
  const part = { sharedRequest: 'shared', requestId: 'r1' };
  const requests = wholeRequests([
    call('a', '0.1', 10, part),
    call('b', '0.5', 50),
    call('c', '0.02', 2, part),
    call('d', '0', 0, { sharedRequest: 'shared', status: 'unsettled', boundUsd: usd('0.3') }),
    call('e', '0', 0, { sharedRequest: 'shared', status: 'unsettled', boundUsd: usd('0.4') }),
  ]);
  expect(requests.map(({ id, costUsd, tokens }) => [id, formatUsd(costUsd), tokens.uncached_input])).toEqual([
    ['a', '0.12', 12],
    ['b', '0.5', 50],
    ['d', '0', 0],
    ['e', '0', 0],
  ]);
});
