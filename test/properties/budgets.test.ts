import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { type BudgetFault, BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { reserveOf, settledFor, someBudget, unsettledFor } from '../support/budget-fixture.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';
import { depth } from '../support/test-depth.ts';

/*
 * Whatever several processes do at once to calls under the same budgets, and wherever one looks meanwhile: no window
 * has more spent and reserved than its limit, and every window says what its calls say.
 */

const processes = 3;
const names = ['all', 'blue', 'search'] as const;

/** What becomes of a call that was reserved, in thousandths of a dollar. */
const fates = ['settle', 'free', 'unsettled', 'abandon', 'abandon_then_late', 'race', 'leave'] as const;

const callArbitrary = fc.record({
  by: fc.nat({ max: processes - 1 }),
  boundMills: fc.integer({ min: 1, max: 400 }),
  costShare: fc.integer({ min: 0, max: 100 }),
  budgets: fc.subarray([...names], { minLength: 1 }),
  fate: fc.constantFrom(...fates),
});
type Call = typeof callArbitrary extends fc.Arbitrary<infer Value> ? Value : never;

describe.skipIf(!canRun(postgresPrograms()))('budgets under several processes', () => {
  let databases: readonly PostgresSqlDatabase[];
  let ledgers: readonly CallLedger[];

  beforeAll(async () => {
    const connectionString = await newLedger();
    databases = await Promise.all(
      Array.from({ length: processes + 1 }, () =>
        PostgresSqlDatabase.open({
          connectionString,
          poolSize: 2,
          statementTimeoutMs: 10_000,
          applicationName: 'budgets-property',
        }),
      ),
    );
    ledgers = databases
      .slice(0, processes)
      .map((database) => new CallLedger({ database, clock: systemClock }));
  });
  afterAll(() => Promise.all(databases.map((database) => database.close())));

  function databaseOf(index: number): PostgresSqlDatabase {
    const database = databases[index];
    if (database === undefined) throw new Error('there is a database for each process');
    return database;
  }

  function ledgerOf(index: number): CallLedger {
    const ledger = ledgers[index % processes];
    if (ledger === undefined) throw new Error('there is a ledger for each process');
    return ledger;
  }

  async function live({ by, boundMills, costShare, budgets, fate }: Call): Promise<boolean> {
    const [mine, other] = [ledgerOf(by), ledgerOf(by + 1)];
    const bound = formatUsd(usd(String(boundMills)).times('0.001'));
    const cost = formatUsd(usd(bound).times(costShare).times('0.01'));
    const { id, outcome } = await reserveOf(mine, bound, budgets);
    if (outcome.kind !== 'reserved') return false;
    switch (fate) {
      case 'settle':
        await mine.settle(settledFor(id, cost));
        break;
      case 'free':
        await mine.settle(settledFor(id, '0', { settlement: 'free', outcome: 'error' }));
        break;
      case 'unsettled':
        await mine.settle(unsettledFor(id, bound));
        break;
      case 'abandon':
        await other.abandon([{ id, line: '{}' }]);
        break;
      case 'abandon_then_late':
        await other.abandon([{ id, line: '{}' }]);
        if (!(await mine.settle(settledFor(id, cost)))) await mine.settleLate(settledFor(id, cost), ['{}']);
        break;
      case 'race':
        await Promise.all([
          other.abandon([{ id, line: '{}' }]),
          mine
            .settle(settledFor(id, cost))
            .then((isSettled) => isSettled || mine.settleLate(settledFor(id, cost), ['{}'])),
        ]);
        break;
      case 'leave':
        break;
    }
    return true;
  }

  it('never exceed a limit, and always say what their calls say', async () => {
    const judge = databaseOf(processes);
    const budgets = new BudgetLedger(judge);
    const runs = depth({ usual: 10, full: 25 });
    let refused = 0;
    let looks = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(callArbitrary, { minLength: 20, maxLength: 60 }), async (calls) => {
        await judge.execute(
          'truncate millrace.calls, millrace.outbox, millrace.quotas, millrace.quota_windows',
        );
        await budgets.define([
          someBudget({ name: 'all', team: undefined, limitUsd: '3' }),
          someBudget({ name: 'blue', limitUsd: '2', window: 'day' }),
          someBudget({ name: 'search', limitUsd: '1', window: '1h' }),
        ]);
        const faults: BudgetFault[] = [];
        const over = new AbortController();
        const watch = (async () => {
          while (!over.signal.aborted) {
            faults.push(...(await budgets.findFaults()));
            looks += 1;
          }
        })();
        const lived = await Promise.all(calls.map((call) => live(call)));
        over.abort();
        await watch;
        faults.push(...(await budgets.findFaults()));
        expect(faults).toEqual([]);
        refused += lived.filter((wasMade) => !wasMade).length;
      }),
      { numRuns: runs, endOnFailure: true },
    );
    // A run in which nothing was refused or nobody looked would show nothing.
    expect(refused).toBeGreaterThan(0);
    expect(looks).toBeGreaterThan(runs);
  }, 120_000);
});
