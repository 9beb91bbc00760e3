import { randomUUID } from 'node:crypto';
import { formatUsd, sumUsd, usd, zeroUsd } from '../../src/kernel/money.ts';
import type { Origin } from '../../src/messages/origin.ts';
import type { Settlement } from '../../src/engine/ledger/settlement.ts';
import { countsOfCall, type UsageRecord } from '../../src/engine/export/usage-record.ts';

/* Calls for the tests of cost reports, and what they add up to. */

export const teams = ['search', 'support', '=cmd()'] as const;
export const models = ['gpt-5-mini', 'claude-haiku-4-5', 'house/"mill", v1'] as const;

/** One call of the seed. */
export interface Seed {
  readonly team: string;
  readonly model: string;
  readonly sentAt: Date;
  readonly costUsd?: string;
  readonly settlement: Settlement;
  readonly upperBoundUsd?: string;
  readonly messageId: string;
  readonly batch?: string;
  readonly isWaste?: boolean;
}

/** 270 calls whose amounts use all eighteen decimals, some unpriced, unsettled, estimated or wasted. */
export const seeds: readonly Seed[] = Array.from({ length: 270 }, (_, index) => {
  const settlement: Settlement = index % 10 === 3 ? 'unsettled' : index % 10 === 7 ? 'estimated' : 'reported';
  const isUnpriced = index % 15 === 4;
  return {
    team: teams[index % 3] ?? '',
    model: models[Math.floor(index / 3) % 3] ?? '',
    sentAt: new Date(Date.parse('2026-03-01T00:30:00Z') + (index % 66) * 3_600_000),
    ...(isUnpriced
      ? {}
      : {
          costUsd:
            settlement === 'unsettled'
              ? '0'
              : `0.${String(index).padStart(4, '0')}${String(100 + index).padStart(14, '0')}`,
        }),
    settlement,
    ...(settlement === 'reported' ? {} : { upperBoundUsd: `1.${String(100 + index).padStart(18, '0')}` }),
    messageId: `018f3a3e-0000-7000-8000-${String(Math.floor(index / 2)).padStart(12, '0')}`,
    ...(index % 4 === 0 ? { batch: 'nightly' } : {}),
    isWaste: index % 9 === 0,
  };
});

export const sumOfCosts = (of: (seed: Seed) => boolean): string =>
  formatUsd(sumUsd(seeds.filter(of).map(({ costUsd }) => (costUsd === undefined ? zeroUsd : usd(costUsd)))));
export const sumOfBounds = (of: (seed: Seed) => boolean): string =>
  formatUsd(sumUsd(seeds.filter(of).map(({ upperBoundUsd = '0' }) => usd(upperBoundUsd))));

/** The usage record of a seeded call. */
export function recordOf(seed: Seed): UsageRecord {
  const origin: Origin = {
    team: seed.team,
    customer: 'acme, inc.',
    feature: 'summaries',
    ...(seed.batch === undefined ? {} : { batch: seed.batch }),
  };
  const cost = seed.costUsd === undefined ? undefined : usd(seed.costUsd);
  return {
    recordId: randomUUID(),
    recordKind: 'call',
    callId: randomUUID(),
    sentAt: seed.sentAt,
    recordedAt: seed.sentAt,
    origin,
    pipeline: 'documents',
    stage: 'summarise',
    owner: 'platform',
    messageId: seed.messageId,
    rootId: seed.messageId,
    step: 'summary',
    attempt: 1,
    provider: 'openai',
    model: seed.model,
    operation: 'chat',
    tier: 'standard',
    requestKind: 'single',
    outcome: seed.settlement === 'unsettled' ? 'unsettled' : 'ok',
    settlement: seed.settlement,
    counts: countsOfCall(seed.settlement, seed.costUsd !== undefined),
    tokens: { uncached_input: 100, text_output: 10 },
    costByClass: cost === undefined ? {} : { text_output: cost },
    ...(cost === undefined ? {} : { costUsd: cost }),
    ...(seed.upperBoundUsd === undefined ? {} : { upperBoundUsd: usd(seed.upperBoundUsd) }),
    ...(seed.isWaste === true ? { wasteReason: 'failed' } : {}),
    durationMs: 12,
  };
}
