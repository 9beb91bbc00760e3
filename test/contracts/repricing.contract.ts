import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { LedgerHarness, someSettlement } from '../support/ledger-fixture.ts';
import { failureOf } from '../support/models-harness.ts';
import { reserveOf, someBudget, stateOf } from '../support/budget-fixture.ts';
import {
  ada,
  anyRates,
  anyUsedCall,
  bookOf,
  costAt,
  type Rates,
  recordsOf,
  repriceAll,
  repriceService,
  settleCall,
  sumOf,
  sumsBy,
  type UsedCall,
  wholeRange,
} from '../support/repriced-calls.ts';

const someCall: UsedCall = {
  team: 'blue',
  customer: 'acme',
  feature: 'search',
  model: 'alpha',
  tokens: { uncached_input: 1_000_000, text_output: 500_000 },
  isWaste: false,
  isEstimated: false,
};
const cheap: Rates = { alpha: { input: '1', output: '4' } };
const dear: Rates = { alpha: { input: '2', output: '4.5' } };

/** What is promised of calls that are priced anew, on whichever database. */
export function repricingContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`calls that are priced anew on ${name}`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;

    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
      await database.execute('truncate millrace.operator_actions');
    });

    const rowCosts = async () => {
      const { rows } = await database.query<{ id: string; cost: string | null }>({
        name: 'test.costs',
        text: 'select id, cost_usd::text as cost from millrace.calls order by id',
      });
      return new Map(rows.map(({ id, cost }) => [id, cost === null ? undefined : formatUsd(usd(cost))]));
    };
    const actions = async () => {
      const { rows } = await database.query<{ action: string; actor: string; reason: string }>({
        name: 'test.audit',
        text: 'select action, actor, reason from millrace.operator_actions order by at, id',
      });
      return rows;
    };

    it('have records that add up to the cost of the last book, in every group and every class, twice as once', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyUsedCall, { minLength: 1, maxLength: 12 }),
          fc.array(anyRates, { minLength: 2, maxLength: 4 }),
          async (used, changes) => {
            harness = await LedgerHarness.begin(database);
            const [first = {}, ...later] = changes;
            const expected = new Map<string, Usd | undefined>();
            const calls: string[] = [];
            for (const call of used) {
              const id = await settleCall(database, bookOf(first), call);
              calls.push(id);
              expected.set(id, costAt(first, call));
            }
            for (const rates of later) {
              await repriceAll(database, bookOf(rates));
              // A book without a price changes nothing.
              used.forEach((call, index) => {
                const id = calls[index] ?? '';
                expected.set(id, costAt(rates, call) ?? expected.get(id));
              });
              const lines = await recordsOf(database);
              for (const [id, cost] of expected) {
                const own = lines.filter((line) => line['call_id'] === id);
                expect(formatUsd(sumOf(own, 'cost_usd'))).toBe(formatUsd(cost ?? zeroUsd));
                const unpriced = own.reduce((sum, line) => sum + Number(line['unpriced_calls']), 0);
                expect(unpriced).toBe(cost === undefined ? 1 : 0);
              }
              for (const columns of [
                [],
                ['team'],
                ['model', 'customer'],
                ['waste_reason'],
                ['feature', 'team'],
              ]) {
                for (const sums of Object.values(sumsBy(lines, columns))) {
                  const [whole, parts] = sums.split(' of ');
                  expect(parts).toBe(whole);
                }
              }
              const told = [...expected].map(([id, cost]) => [id, cost && formatUsd(cost)] as const);
              expect(await rowCosts()).toEqual(new Map(told));
              await repriceAll(database, bookOf(rates));
              expect(await recordsOf(database)).toHaveLength(lines.length);
            }
          },
        ),
        { numRuns: 12 },
      );
    }, 120_000);

    it('say by whom, why and by which book, and nothing of their tokens', async () => {
      const id = await settleCall(database, bookOf(cheap), someCall);
      const book = bookOf(dear);
      const [report] = await repriceAll(database, book);
      expect(report).toMatchObject({ corrections: 1, beforeUsd: '3', afterUsd: '4.25', changeUsd: '1.25' });
      const [, correction] = await recordsOf(database);
      expect(correction).toMatchObject({
        record_kind: 'correction',
        call_id: id,
        cost_usd: '1.25',
        cost_uncached_input: '1',
        cost_text_output: '0.25',
        correction_actor: 'ada',
        correction_reason: 'a contract',
        price_book: book.version,
        operation_id: report?.operationId,
      });
      expect(Object.keys(correction ?? {}).filter((column) => column.startsWith('tokens_'))).toEqual([]);
      expect(await actions()).toEqual([{ action: 'prices.reprice', actor: 'ada', reason: 'a contract' }]);
    });

    it('are told and not changed by a dry run', async () => {
      await settleCall(database, bookOf(cheap), someCall);
      const [report] = await repriceAll(database, bookOf(dear), { dryRun: true, reason: '' });
      expect(report).toMatchObject({
        dryRun: true,
        corrections: 1,
        groups: [{ provider: 'house', model: 'alpha', team: 'blue', beforeUsd: '3', afterUsd: '4.25' }],
      });
      expect(await recordsOf(database)).toHaveLength(1);
      expect([...(await rowCosts()).values()]).toEqual(['3']);
      expect(await actions()).toEqual([]);
    });

    it('are only those of the provider, model and team that were named', async () => {
      const green = await settleCall(database, bookOf(cheap), { ...someCall, team: 'green' });
      const blue = await settleCall(database, bookOf(cheap), someCall);
      await repriceAll(database, bookOf(dear), { team: 'green' });
      await repriceAll(database, bookOf(dear), { model: 'beta' });
      await repriceAll(database, bookOf(dear), { provider: 'elsewhere' });
      expect(await rowCosts()).toEqual(
        new Map([
          [green, '4.25'],
          [blue, '3'],
        ]),
      );
    });

    it('change once when two price them at once', async () => {
      for (let call = 0; call < 9; call += 1) await settleCall(database, bookOf(cheap), someCall);
      const reports = await Promise.all([1, 2, 3].map(() => repriceAll(database, bookOf(dear))));
      expect(reports.flat().reduce((sum, { corrections }) => sum + corrections, 0)).toBe(9);
      const lines = await recordsOf(database);
      expect(lines).toHaveLength(18);
      expect(formatUsd(sumOf(lines, 'cost_usd'))).toBe('38.25');
    });

    it('are all priced in the end when the first to do it is killed in the middle', async () => {
      for (let call = 0; call < 9; call += 1) await settleCall(database, bookOf(cheap), someCall);
      let statements = 0;
      const dying: SqlDatabase = Object.create(database, {
        query: {
          value: async (...args: Parameters<SqlDatabase['query']>) => {
            statements += 1;
            if (statements > 5) throw new Error('killed');
            return await database.query(...args);
          },
        },
      }) as SqlDatabase;
      await expect(repriceAll(dying, bookOf(dear))).rejects.toThrow('killed');
      const before = await recordsOf(database);
      expect(before.length).toBeGreaterThan(9);
      expect(before.length).toBeLessThan(18);
      await repriceAll(database, bookOf(dear));
      expect(await recordsOf(database)).toHaveLength(18);
      expect(formatUsd(sumOf(await recordsOf(database), 'cost_usd'))).toBe('38.25');
    });

    it('move the money of their budgets', async () => {
      const budgets = new BudgetLedger(database);
      await budgets.define([someBudget({ limitUsd: '100' })]);
      const { id } = await reserveOf(harness.calls, '10');
      await harness.calls.settle(
        someSettlement({ id, hasQuotas: true, costUsd: usd('3'), tokens: { uncached_input: 3_000_000 } }),
      );
      const book = bookOf({ alpha: { input: '2', output: '1' } });
      await database.execute(
        `update millrace.calls set provider = 'house', model = 'alpha', answered_model = null`,
      );
      await repriceAll(database, book);
      expect(formatUsd((await stateOf(budgets)).spent)).toBe('6');
      expect(await budgets.findFaults()).toEqual([]);
    });

    it('keep their cost where the provider or an operator said it, where they were free, and where no price is known', async () => {
      const calls = harness.calls;
      const settle = async (parts: Parameters<typeof someSettlement>[0] | object) => {
        const { id } = await reserveOf(calls, '10', []);
        await calls.settle(
          someSettlement({ id, tokens: { uncached_input: 1 }, answeredModel: 'alpha', ...parts }),
        );
      };
      await settle({ priceReference: 'charged by openrouter; list x', costUsd: usd('7') });
      await settle({ priceReference: undefined, costUsd: usd('8') });
      // The provider has not billed it, as an operator knows.
      await settle({ priceReference: undefined, costUsd: usd('0') });
      await settle({ settlement: 'free', priceReference: undefined, costUsd: usd('0') });
      await settle({ answeredModel: 'unheard-of', costUsd: usd('9') });
      await database.execute(`update millrace.calls set provider = 'house', model = 'nobody'`);
      const [report] = await repriceAll(database, bookOf(dear));
      expect(report?.kept).toEqual({ free: 1, charged: 1, billed: 2, erased: 0, no_price: 1 });
      expect(formatUsd(sumUsd([...(await rowCosts()).values()].map((cost) => usd(cost ?? '0'))))).toBe('24');
    });

    it('are changed in all by calls of before their classes were kept', async () => {
      await settleCall(database, bookOf(cheap), someCall);
      await database.execute('update millrace.calls set cost_detail = null');
      await repriceAll(database, bookOf(dear));
      const [, correction] = await recordsOf(database);
      expect(correction).toMatchObject({ cost_usd: '1.25', cost_adjustment: '1.25' });
      await repriceAll(database, bookOf(dear));
      expect(await recordsOf(database)).toHaveLength(2);
    });

    it('are priced by no operator of one team', async () => {
      const service = repriceService(database, bookOf(dear));
      const work = service.reprice(wholeRange(), { ...ada, team: 'blue' }, { maxSlices: 1 });
      expect(await failureOf(work)).toMatchObject({ code: 'MILLRACE_FORBIDDEN' });
    });
  });
}
