import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type Bill,
  billMeters,
  type CostLine,
  type RequestLine,
  type UsageLine,
} from '../../src/capabilities/costs/reconciliation/bill.ts';
import {
  type ComparedDay,
  openCauses,
  stateOf,
} from '../../src/capabilities/costs/reconciliation/difference.ts';
import type {
  CallStatus,
  LedgerCall,
  LedgerGroup,
} from '../../src/capabilities/costs/reconciliation/ledger-usage.ts';
import { DayComparison } from '../../src/capabilities/costs/reconciliation/reconcile-days.ts';
import { compareRequests } from '../../src/capabilities/costs/reconciliation/reconcile-requests.ts';
import { keptDay } from '../../src/capabilities/costs/reconciliation/kept-day.ts';
import { readStoredBill } from '../../src/capabilities/costs/reconciliation/stored-bill.ts';
import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';

/* Whatever a bill and a ledger say: ledger and differences add up to the bill, for each row, each day and the whole. */

const pricer = packagedPriceBook({});
const days = ['2026-03-01', '2026-03-02'];
const models = ['gpt-5-mini', 'gpt-5-mini-2025-08-07', 'gpt-5', 'house-model'];
const day = fc.constantFrom(...days);
const model = fc.constantFrom(...models, '');
const tier = fc.constantFrom('default', 'flex', 'batch');
const amount: fc.Arbitrary<Usd> = fc
  .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.constantFrom(6, 12, 18, 24))
  .map(([units, scale]) => {
    const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
    return usd(`${units < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
  });
const count = fc.nat({ max: 3_000 });
const place = fc.constant('file 1, line 1');

const usageLine: fc.Arbitrary<UsageLine> = fc.record(
  {
    place,
    day,
    model,
    tier,
    key: fc.constantFrom('ours', 'theirs'),
    tokens: fc.record({ input: count, cache_read: count, output: count }),
    requests: fc.nat({ max: 4 }),
  },
  { requiredKeys: ['place', 'day', 'model', 'tokens'] },
);
const costLine: fc.Arbitrary<CostLine> = fc.record(
  {
    place,
    day,
    model,
    tier,
    key: fc.constantFrom('ours', 'theirs'),
    meter: fc.constantFrom(...billMeters),
    amountUsd: amount,
    quantity: count,
  },
  { requiredKeys: ['place', 'day', 'model', 'meter', 'amountUsd'] },
);
const requestLine: fc.Arbitrary<RequestLine> = fc.record({
  place,
  day,
  model,
  requestId: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  at: fc
    .integer({ min: 0, max: 172_799 })
    .map((seconds) => new Date(Date.parse('2026-03-01') + seconds * 1000)),
  amountUsd: amount,
  tokens: fc.record({ uncached_input: count, text_output: count }),
  isCancelled: fc.boolean(),
});
const status = fc.constantFrom<CallStatus[]>('settled', 'estimated', 'unpriced', 'free', 'unsettled');
const part = {
  day,
  provider: fc.constant('openai'),
  model: fc.constantFrom(...models),
  answeredModel: model,
  tier,
  status,
  costUsd: amount,
  boundUsd: amount.map((value) => value.abs()),
  tokens: fc.record({ uncached_input: count, cache_read: count, text_output: count, reasoning: count }),
};
const group: fc.Arbitrary<LedgerGroup> = fc
  .record({
    ...part,
    calls: fc.integer({ min: 1, max: 4 }),
    inputUsd: amount,
    outputUsd: amount,
    toolsUsd: amount,
    isWhole: fc.boolean(),
  })
  .map(({ inputUsd, outputUsd, isWhole, ...rest }) => ({
    ...rest,
    requestsUsd: zeroUsd,
    costByClass: { uncached_input: inputUsd, text_output: outputUsd },
    costUsd: isWhole ? inputUsd.plus(outputUsd).plus(rest.toolsUsd) : rest.costUsd,
  }));
const call: fc.Arbitrary<LedgerCall> = fc.record({
  ...part,
  id: fc.uuid(),
  requestId: fc.constantFrom('a', 'b', 'c', ''),
  outcome: fc.constantFrom('ok', 'error', 'cancelled', 'unsettled'),
  errorType: fc.constantFrom('', 'aborted', 'timeout', 'rate_limited'),
  durationMs: fc.constant(1),
  sentAt: fc.constant(new Date('2026-03-01T08:00:00Z')),
  recordedAt: fc.constant(new Date('2026-03-01T20:00:00Z')),
});

const bill = (fields: Partial<Bill>): Bill => ({
  provider: 'openai',
  form: 'openai',
  usage: [],
  costs: [],
  requests: [],
  days,
  notices: [],
  unitUsd: usd('0.000001'),
  ...fields,
});

function expectSums(compared: readonly ComparedDay[], billUsd: Usd): void {
  for (const { rows } of compared) {
    for (const row of rows) {
      const all = row.ledgerUsd.plus(sumUsd(row.differences.map((one) => one.usd)));
      expect(formatUsd(all)).toBe(formatUsd(row.billUsd));
    }
  }
  const rows = compared.flatMap((one) => one.rows);
  expect(formatUsd(sumUsd(rows.map((row) => row.billUsd)))).toBe(formatUsd(billUsd));
}

it('of a bill by the day', () => {
  fc.assert(
    fc.property(
      fc.array(usageLine, { maxLength: 8 }),
      fc.array(costLine, { minLength: 1, maxLength: 12 }),
      fc.array(group, { maxLength: 8 }),
      fc.array(call, { maxLength: 6 }),
      fc.constantFrom([], ['ours']),
      (usage, costs, groups, doubtful, keys) => {
        const one = bill({ usage, costs });
        const side = { groups, doubtful, pricer, priceProvider: 'openai', keys };
        const comparison = new DayComparison(one, side);
        comparison.questions();
        const compared = comparison.days(new Map());
        expectSums(compared, sumUsd(costs.map(({ amountUsd }) => amountUsd)));
        const ledgerUsd = sumUsd(compared.flatMap(({ rows }) => rows.map((row) => row.ledgerUsd)));
        expect(formatUsd(ledgerUsd)).toBe(formatUsd(sumUsd(groups.map(({ costUsd }) => costUsd))));
      },
    ),
    { numRuns: 400 },
  );
});

it('of a bill of requests', () => {
  fc.assert(
    fc.property(
      fc.array(requestLine, { maxLength: 8 }),
      fc.array(call, { maxLength: 8 }),
      (requests, calls) => {
        const compared = compareRequests(bill({ requests }), calls);
        expectSums(compared, sumUsd(requests.map(({ amountUsd }) => amountUsd)));
      },
    ),
    { numRuns: 400 },
  );
});

it('a day is open where it has a residual, and its bill comes back as it was kept', () => {
  fc.assert(
    fc.property(
      fc.array(costLine, { minLength: 1, maxLength: 6 }),
      fc.array(group, { maxLength: 6 }),
      (costs, groups) => {
        const one = bill({ costs });
        const comparison = new DayComparison(one, {
          groups,
          doubtful: [],
          pricer,
          priceProvider: 'openai',
          keys: [],
        });
        for (const compared of comparison.days(new Map())) {
          const kept = keptDay(compared, {
            bill: one,
            source: 'source',
            accounts: ['openai'],
            keys: [],
            ledgerDigest: 'ledger',
            reason: 'bill',
            actor: 'test',
            now: new Date(),
          });
          expect(kept.residualUsd.isZero()).toBe(kept.state !== 'open');
          expect(stateOf(compared.rows)).toBe(kept.state);
          expect(openCauses.has('price')).toBe(false);
          const stored = readStoredBill(kept.bill);
          const own = costs.filter((line) => line.day === compared.day);
          expect(stored.costs.map(({ amountUsd }) => formatUsd(amountUsd))).toEqual(
            own.map(({ amountUsd }) => formatUsd(amountUsd)),
          );
        }
      },
    ),
    { numRuns: 100 },
  );
});
