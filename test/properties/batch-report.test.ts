import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BatchReports } from '../../src/capabilities/batches/report/batch-reports.ts';
import {
  type BatchReportDocument,
  batchReportSchema,
} from '../../src/capabilities/batches/report/report-document.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { emptyTables } from '../support/empty-tables.ts';
import {
  type ReportedCall,
  type ReportedItem,
  reportedTables,
  writeReportedBatch,
} from '../support/reported-batch.ts';
import { depth } from '../support/test-depth.ts';

/*
 * Whatever the items of a batch cost, and whatever others do under its name: the report adds up to what its calls cost, to the last digit,
 * in total and by everything that it tells apart.
 */

let database: SqlDatabase;
beforeAll(async () => {
  database = await openMigratedPglite();
});
afterAll(() => database.close());

const anyAmount = fc
  .tuple(fc.integer({ min: 0, max: 999 }), fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }))
  .map(([whole, fraction]) => formatUsd(usd(`${whole}.${fraction.toString().padStart(18, '0')}`)));

/** A place before the last with any end, or the last one. */
const anyCascade: fc.Arbitrary<ReportedCall['cascade']> = fc.oneof(
  fc.constant({ place: 2, models: 2 }),
  fc.record({ place: fc.constantFrom(1, 2), models: fc.constant(3) }),
  fc.constant({ place: 1, models: 2, verdict: 'escalated' as const }),
  fc.constant({ place: 1, models: 2, verdict: 'accepted' as const }),
  anyAmount.map((lastUsd) => ({ place: 1, models: 3, verdict: 'accepted' as const, lastUsd })),
);

const anyCall: fc.Arbitrary<ReportedCall> = fc
  .record({
    stage: fc.constantFrom('first', 'second'),
    model: fc.constantFrom('alpha', 'beta'),
    tier: fc.constantFrom('default', 'flex'),
    isBatch: fc.boolean(),
    state: fc.constantFrom('settled', 'settled', 'settled', 'unsettled', 'reserved'),
    costUsd: fc.oneof(anyAmount, fc.constant(null)),
    tokens: fc.record({ uncached_input: fc.nat(5000), cache_read: fc.nat(5000), text_output: fc.nat(500) }),
    waste: fc.constantFrom('failed', 'invalid_output', ''),
    cascade: fc.option(anyCascade, { nil: undefined }),
  })
  .map(({ waste, cascade, ...call }) => ({
    ...call,
    ...(waste === '' ? {} : { waste }),
    ...(cascade === undefined ? {} : { cascade }),
  })) as fc.Arbitrary<ReportedCall>;

const anyItems = fc
  .array(
    fc.record({
      team: fc.constantFrom('blue', 'green'),
      state: fc.constantFrom('succeeded', 'succeeded', 'failed', 'running'),
      calls: fc.array(anyCall, { maxLength: 4 }),
      earlierCalls: fc.option(fc.array(anyCall, { maxLength: 2 }), { nil: undefined, freq: 4 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((items) =>
    items.map(({ earlierCalls, ...item }, n): ReportedItem => ({
      id: `${n}`,
      stagesMs: { first: 10, second: 20 },
      ...item,
      ...(earlierCalls === undefined
        ? {}
        : { earlierCalls: earlierCalls.map((call) => ({ ...call, stage: 'first' })) }),
    })),
  );

const callsOf = ({ calls = [], earlierCalls = [] }: ReportedItem): readonly ReportedCall[] => [
  ...calls,
  ...earlierCalls,
];
const costOf = (calls: readonly ReportedCall[]) =>
  sumUsd(
    calls.flatMap(({ state, costUsd }) =>
      state === 'settled' && typeof costUsd === 'string' ? [usd(costUsd)] : [],
    ),
  );
const added = (amounts: readonly string[]): string => formatUsd(sumUsd(amounts.map((amount) => usd(amount))));

/** What cascades saved, from the calls one by one. */
function cascadeSavings(all: readonly ReportedCall[]): BatchReportDocument['savings']['cascade'] {
  const calls = all.filter(({ cascade }) => cascade !== undefined && cascade.place < cascade.models);
  const verdict = ({ state, cascade }: ReportedCall) => (state === 'settled' ? cascade?.verdict : undefined);
  const valued = calls.filter(
    (call) =>
      call.state === 'settled' &&
      typeof call.costUsd === 'string' &&
      (verdict(call) !== 'accepted' || call.cascade?.lastUsd !== undefined),
  );
  const of = (wanted: string | undefined, among = calls) => among.filter((call) => verdict(call) === wanted);
  const paid = costOf(valued);
  const last = sumUsd(of('accepted', valued).map(({ cascade }) => usd(cascade?.lastUsd ?? '0')));
  return {
    acceptedCalls: of('accepted').length,
    escalatedCalls: of('escalated').length,
    otherCalls: of(undefined).length,
    paidUsd: formatUsd(paid),
    unacceptedUsd: formatUsd(paid.minus(costOf(of('accepted', valued)))),
    lastModelUsd: formatUsd(last),
    savedUsd: formatUsd(last.minus(paid)),
    unvaluedCalls: calls.length - valued.length,
  };
}

it('adds up to what its calls cost, to the last digit', async () => {
  const reports = new BatchReports({ database, findPrice: () => undefined });
  await fc.assert(
    fc.asyncProperty(anyItems, anyItems, async (items, others) => {
      await emptyTables(database, reportedTables);
      await writeReportedBatch(database, { name: 'same', team: 'blue', state: 'running', items });
      await writeReportedBatch(database, { name: 'same', team: 'green', state: 'running', items: others });
      const read = await reports.read({ kind: 'name', name: 'same' }, { team: 'blue' });
      const { cost, waste, concentration, tokens, savings } = batchReportSchema.strict().parse(read);
      const calls = items.flatMap(callsOf);
      const total = formatUsd(costOf(calls));
      expect(cost.totalUsd).toBe(total);
      expect(cost.calls).toBe(calls.length);
      expect(added([...cost.models.map(({ costUsd }) => costUsd), cost.otherUsd])).toBe(total);
      expect(added([...cost.stages.map(({ costUsd }) => costUsd), cost.otherUsd])).toBe(total);
      expect(added(concentration.tenths.map(({ costUsd }) => costUsd))).toBe(total);
      expect(added(waste.map(({ costUsd }) => costUsd))).toBe(cost.wasteUsd);
      expect(cost.wasteUsd).toBe(formatUsd(costOf(calls.filter(({ waste: cause }) => cause !== undefined))));
      const settled = calls.filter(({ state }) => state === 'settled');
      expect(cost.unpricedCalls).toBe(settled.filter(({ costUsd }) => costUsd === null).length);
      expect(cost.unsettledCalls).toBe(calls.filter(({ state }) => state === 'unsettled').length);
      expect(cost.openCalls).toBe(calls.filter(({ state }) => state === 'reserved').length);
      const cached = settled.reduce((sum, call) => sum + (call.tokens?.cache_read ?? 0), 0);
      expect(tokens.byClass.cache_read).toBe(String(cached));
      expect(savings.cascade).toEqual(cascadeSavings(calls));
      // Every item has a message: their costs in descending order are what is ranked.
      const ranked = items
        .map((item) => costOf(callsOf(item)))
        .toSorted((one, other) => other.comparedTo(one));
      const size = ranked.length;
      expect(cost.perItem.items).toBe(size);
      expect(cost.perItem.maxUsd).toBe(formatUsd(ranked[0] ?? usd('0')));
      const least = (share: number) => ranked[size - Math.ceil(share * size)] ?? usd('0');
      expect(cost.perItem.p50Usd).toBe(formatUsd(least(0.5)));
      expect(cost.perItem.p95Usd).toBe(formatUsd(least(0.95)));
      const topTenth = sumUsd(ranked.slice(0, Math.ceil(size / 10)));
      expect(concentration.tenths[0]?.costUsd).toBe(formatUsd(topTenth));
    }),
    { numRuns: depth({ usual: 25, full: 200 }) },
  );
});
