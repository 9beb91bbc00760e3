import { describe, expect, it } from 'vitest';
import { type Usd, usd, zeroUsd } from '../../kernel/money.ts';
import type { DemoReport } from './demo-report.ts';
import { findDisagreements } from './demo-verdict.ts';

interface Sums {
  readonly billed?: Usd | undefined;
  readonly ledger: Usd;
  readonly attributed: Usd;
  readonly lower: Usd;
  readonly upper: Usd;
}

const one = usd('1.000000000000000001');

function report(changes: Partial<Sums> = {}, pending = 0): DemoReport {
  const sums: Sums = { billed: one, ledger: one, attributed: one, lower: one, upper: one, ...changes };
  const figures = {
    costUsd: sums.attributed,
    wasteUsd: zeroUsd,
    upperBoundUsd: zeroUsd,
    calls: 1,
    unpricedCalls: 0,
    unsettledCalls: 0,
    suspectCalls: 0,
    estimatedCalls: 0,
    inputTokens: 1n,
    outputTokens: 1n,
    cachedInputTokens: 0n,
    cachedShare: 0,
  };
  return {
    documents: 1,
    status: {
      messages: { pending, leased: 0, completed: 4, dead_lettered: 0, cancelled: 0 },
      stages: [],
      calls: {
        calls: 1,
        reserved: 0,
        succeeded: 1,
        failed: 0,
        estimated: 0,
        unsettled: 0,
        unpriced: 0,
        settledUsd: sums.ledger,
        estimatedUsd: zeroUsd,
        estimatedUpperUsd: zeroUsd,
        openUpperUsd: zeroUsd,
      },
      lastHour: { wasted: [], failing: [] },
      unexportedRecords: 0,
      pauses: [],
      parked: {},
      circuits: [],
      erasures: [],
      unreadablePrices: [],
      waits: [],
    },
    billedUsd: sums.billed,
    ledgerUsd: sums.ledger,
    attributedUsd: sums.attributed,
    bounds: { lowerUsd: sums.lower, upperUsd: sums.upper },
    reusedCalls: 0,
    originCoverage: 1,
    teams: { groups: [], total: figures, isTruncated: false, messages: 'none', source: 'rollups' },
    stages: [],
    items: [],
    seconds: 1,
  };
}

describe('the verdict on a run', () => {
  it('is clean when three sums are one', () => {
    expect(findDisagreements(report())).toEqual([]);
  });

  it('does not overlook the last digit', () => {
    expect(findDisagreements(report({ attributed: usd('1') }))).toHaveLength(1);
    expect(findDisagreements(report({ billed: usd('1.000000000000000002') }))).toHaveLength(1);
  });

  it('lets the bill lie within the bounds that open calls leave, not outside', () => {
    expect(findDisagreements(report({ billed: usd('1.5'), upper: usd('1.5') }))).toEqual([]);
    expect(findDisagreements(report({ billed: usd('1.5000001'), upper: usd('1.5') }))).toHaveLength(1);
    expect(findDisagreements(report({ billed: usd('0.9'), upper: usd('1.5') }))).toHaveLength(1);
  });

  it('needs no bill of a real provider', () => {
    expect(findDisagreements(report({ billed: undefined }))).toEqual([]);
  });

  it('is not clean while a message is pending', () => {
    expect(findDisagreements(report({}, 1))).toEqual(['1 messages have not ended.']);
  });
});
