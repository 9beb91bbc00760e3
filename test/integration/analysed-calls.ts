import type { UsageRecord } from '../../src/engine/export/usage-record.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import type { TokenCounts } from '../../src/pricing/token-classes.ts';
import { usageRecord } from '../support/usage-records.ts';

/* Calls for the tests of labels, concentration, anomalies and savings: each over a month of its own. */

const book = packagedPriceBook();

const call = (fields: Partial<UsageRecord>): UsageRecord =>
  usageRecord({ recordId: newId(new Date()), ...fields });
/** January 2025: with and without labels. */
export const labelled = Array.from({ length: 30 }, (_, index) =>
  call({
    sentAt: new Date(Date.UTC(2025, 0, 1, index)),
    origin: {
      team: index % 2 === 0 ? 'blue' : 'rose',
      customer: 'acme',
      feature: 'shop',
      ...(index % 3 === 0
        ? {}
        : { labels: { region: ['eu', 'us', "o'us"][index % 3] ?? '', 'cost_centre.a': `c${index % 4}` } }),
    },
    costUsd: usd(`0.${String(index + 1).padStart(18, '0')}`),
  }),
);
/** February 2025: 20 customers, the n-th with n² thousandths; items of some calls only. */
export const ranked = Array.from({ length: 20 }, (_, index) =>
  call({
    sentAt: new Date(Date.UTC(2025, 1, 2 + index, 7, 11)),
    origin: { team: index % 2 === 0 ? 'blue' : 'rose', customer: `customer ${index + 1}`, feature: 'shop' },
    ...(index % 4 === 0 ? { item: `item ${index}` } : {}),
    costUsd: usd(`0.${String((index + 1) ** 2).padStart(3, '0')}000000000000001`),
  }),
);
/** The nine o'clock of Tuesdays in Berlin, over eight weeks and the change of clocks, and today. */
const nineOClock = (week: number): Date => new Date(Date.UTC(2026, 2, 31 - 7 * week, week === 0 ? 7 : 8, 30));
const spentAt = (team: string, sentAt: Date, dollars: string): UsageRecord =>
  call({ sentAt, origin: { team, customer: `${team} customer`, feature: 'shop' }, costUsd: usd(dollars) });
export const hourly = [
  ...Array.from({ length: 8 }, (_, index) => [
    spentAt('steady', nineOClock(index + 1), '10'),
    spentAt('blue', nineOClock(index + 1), index === 3 ? '500' : '20'),
    spentAt('quiet', nineOClock(index + 1), '30'),
  ]).flat(),
  spentAt('steady', nineOClock(0), '11'),
  spentAt('blue', nineOClock(0), '200'),
  spentAt('blue', nineOClock(0), '0.000000000000000001'),
  spentAt('young', nineOClock(1), '1'),
  spentAt('young', nineOClock(0), '900'),
];

/** A call as the price book prices it. */
function pricedCall(
  fields: Partial<UsageRecord> & Pick<UsageRecord, 'provider' | 'model' | 'sentAt'>,
  tokens: TokenCounts,
): UsageRecord {
  const { provider, model, sentAt, tier = 'default', requestKind } = fields;
  const pricing = book.price({ provider, model, at: sentAt, tier, batch: requestKind === 'batch' }, tokens);
  if (pricing.kind === 'unpriced') throw new Error(pricing.reason);
  return call({
    ...fields,
    tokens,
    costByClass: pricing.cost.byClass,
    costUsd: pricing.cost.total,
    priceReference: pricing.price.reference,
  });
}
const sentAt = new Date('2025-12-10T12:00:00Z');
export const priced = [
  // Input 0.25 and cached 0.025 dollars a million.
  pricedCall(
    { provider: 'openai', model: 'gpt-5-mini', sentAt },
    { uncached_input: 10, cache_read: 1_000_000 },
  ),
  // Half of 0.25 and of 2.
  pricedCall(
    { provider: 'openai', model: 'gpt-5-mini', sentAt, requestKind: 'batch' },
    { uncached_input: 1_000_000, text_output: 100_000 },
  ),
  // Input 1.25 and 2.5 above 200,000; a tenth of it from the cache.
  pricedCall(
    { provider: 'google', model: 'gemini-2.5-pro', sentAt },
    { uncached_input: 1, cache_read: 100_000 },
  ),
  pricedCall(
    { provider: 'google', model: 'gemini-2.5-pro', sentAt },
    { uncached_input: 1, cache_read: 300_000 },
  ),
  // A 5-minute write at 1.25 times the input, 1 dollar a million.
  pricedCall({ provider: 'anthropic', model: 'claude-haiku-4-5', sentAt }, { cache_write_5m: 1_000_000 }),
  call({ sentAt, tokens: { cache_read: 77 }, priceReference: 'a list that is gone', counts: noCounts() }),
  call({ sentAt, tokens: {}, wasteReason: 'failed', costUsd: usd('0.5'), costByClass: {} }),
];

function noCounts(): UsageRecord['counts'] {
  return { calls: 1, unpricedCalls: 0, unsettledCalls: 0, estimatedCalls: 0, suspectCalls: 0 };
}

const cascadedAt = new Date('2025-10-10T12:00:00Z');
const cascaded = (place: number, costUsd: string, fields: Partial<UsageRecord> = {}): UsageRecord =>
  call({
    sentAt: cascadedAt,
    tokens: {},
    costByClass: {},
    costUsd: usd(costUsd),
    cascade: { place, models: 2 },
    ...fields,
  });
const rejected = cascaded(1, '0.5', { verdict: 'accepted', cascadeUsd: usd('3') });
const decidedLater = cascaded(1, '0.125');
const correctionOf = (record: UsageRecord, fields: Partial<UsageRecord>): UsageRecord => ({
  ...record,
  recordId: newId(new Date()),
  recordKind: 'correction',
  counts: { ...noCounts(), calls: 0 },
  costUsd: usd('0'),
  ...fields,
});
/** October 2025: cascades of two models. */
export const inCascades = [
  cascaded(1, '0.1', { verdict: 'accepted', cascadeUsd: usd('1.000000000000000001') }),
  cascaded(1, '0.01', { verdict: 'escalated' }),
  cascaded(2, '7'),
  // Its check was asked when the answer came back from a batch.
  decidedLater,
  correctionOf(decidedLater, { verdict: 'accepted', cascadeUsd: usd('2') }),
  // The handler had no use for it.
  rejected,
  correctionOf(rejected, { verdict: 'escalated', cascadeUsd: usd('-3'), costUsd: usd('-0.5') }),
  correctionOf(rejected, {
    verdict: 'escalated',
    costUsd: usd('0.5'),
    cascadeUsd: usd('0'),
    wasteReason: 'invalid_output',
  }),
  // The last model has no price, or the small one.
  cascaded(1, '0.2', { verdict: 'accepted', cascadeUnvalued: 1 }),
  call({
    sentAt: cascadedAt,
    tokens: {},
    costByClass: {},
    costUsd: undefined as never,
    counts: { ...noCounts(), unpricedCalls: 1 },
    cascade: { place: 1, models: 2 },
    verdict: 'escalated',
  }),
];

/** November 2025: priced by another list first, and then by the book. */
const repriced = pricedCall(
  { provider: 'openai', model: 'gpt-5-mini', sentAt: november() },
  { cache_read: 1_000_000 },
);
export const corrected = [
  {
    ...repriced,
    priceReference: 'another list',
    costUsd: usd('0.1'),
    costByClass: { cache_read: usd('0.1') },
  },
  {
    ...repriced,
    recordId: newId(new Date()),
    recordKind: 'correction' as const,
    recordedAt: new Date('2026-03-01T00:00:00Z'),
    counts: { ...noCounts(), calls: 0 as const },
    tokens: {},
    costUsd: usd('-0.075'),
    costByClass: { cache_read: usd('-0.075') },
  },
];

function november(): Date {
  return new Date('2025-11-10T12:00:00Z');
}
