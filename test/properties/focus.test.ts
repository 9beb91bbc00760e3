import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { focusColumns, type FocusRow } from '../../src/capabilities/costs/focus/focus-columns.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import type { FocusRequest } from '../../src/capabilities/costs/focus/focus-parameters.ts';
import { runCostQuery } from '../../src/capabilities/costs/usage-queries.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import {
  countsOfCall,
  countsOfCorrection,
  renderUsageLine,
  type UsageRecord,
} from '../../src/engine/export/usage-record.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ConcurrencyLimiter } from '../../src/kernel/concurrency-limiter.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, sumUsd, type Usd, usd } from '../../src/kernel/money.ts';
import { type TokenClass, tokenClasses } from '../../src/pricing/token-classes.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { columnFaults, rowFaults } from '../support/focus-rules.ts';
import { depth } from '../support/test-depth.ts';
import { usageRecord } from '../support/usage-records.ts';

/*
 * Whatever calls and corrections there are, the rows of a FOCUS export keep the specification's rules and their costs add up to
 * the cost report's, in all and for every team and model, by the hour and by the day, in one piece and in many.
 */

const start = Date.UTC(2025, 0, 30, 0, 0);
const days = 3;
const newUuid = (): string => newId(new Date());

/** Dollars per million tokens: of a class at one of two prices. */
const rateOf = (name: TokenClass, price: number): Usd =>
  usd(`${(tokenClasses.indexOf(name) + 1) * (price + 1)}.${price === 0 ? '25' : '075'}`);

const anyTokens = fc.dictionary(fc.constantFrom(...tokenClasses), fc.integer({ min: 1, max: 3_000_000 }), {
  maxKeys: 4,
  noNullPrototype: true,
}) as fc.Arbitrary<Partial<Record<TokenClass, number>>>;

interface Plan {
  readonly at: number;
  readonly team: number;
  readonly customer: number;
  readonly model: number;
  readonly isBatch: boolean;
  readonly price: number | undefined;
  readonly tokens: Partial<Record<TokenClass, number>>;
  readonly fee: boolean;
  readonly settlement: 'reported' | 'estimated' | 'unsettled';
  readonly correction: { readonly extra: string; readonly price: number } | undefined;
}

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  at: fc.integer({ min: 0, max: days * 86_400_000 - 1 }),
  team: fc.integer({ min: 0, max: 1 }),
  customer: fc.integer({ min: 0, max: 3 }),
  model: fc.integer({ min: 0, max: 1 }),
  isBatch: fc.boolean(),
  price: fc.option(fc.integer({ min: 0, max: 1 }), { nil: undefined }),
  tokens: anyTokens,
  fee: fc.boolean(),
  settlement: fc.constantFrom('reported', 'estimated', 'unsettled'),
  correction: fc.option(
    fc.record({
      extra: fc.constantFrom('0', '0.000000000000000001', '-0.25', '12.5'),
      price: fc.integer({ min: 0, max: 1 }),
    }),
    { nil: undefined },
  ),
});

function costsOf(
  tokens: Partial<Record<TokenClass, number>>,
  price: number,
): Partial<Record<TokenClass, Usd>> {
  return Object.fromEntries(
    Object.entries(tokens).map(([name, count]) => [
      name,
      rateOf(name as TokenClass, price)
        .times(count)
        .div(1_000_000),
    ]),
  );
}

/** The call, and a correction that prices or settles it anew. */
function recordsOf(plan: Plan): UsageRecord[] {
  const { settlement, price, fee } = plan;
  const callId = newUuid();
  const tokens = settlement === 'unsettled' ? {} : plan.tokens;
  const costByClass = price === undefined || settlement === 'unsettled' ? {} : costsOf(tokens, price);
  const requestCost = fee && price !== undefined && settlement !== 'unsettled' ? usd('0.01') : usd('0');
  const cost = sumUsd([...Object.values(costByClass), requestCost]);
  const isPriced = price !== undefined || settlement === 'unsettled';
  const bound = settlement === 'reported' ? undefined : usd('3.5');
  const common = {
    callId,
    sentAt: new Date(start + plan.at),
    origin: {
      team: `team-${plan.team}`,
      customer: `customer-${plan.customer}`,
      feature: 'f',
      ...(plan.isBatch ? { batch: 'b' } : {}),
    },
    model: `model-${plan.model}`,
    answeredModel: `model-${plan.model}-2025-01-01`,
    requestKind: plan.isBatch ? ('batch' as const) : ('single' as const),
  };
  const call = usageRecord({
    ...common,
    recordId: callId,
    settlement,
    counts: countsOfCall(settlement, isPriced),
    tokens,
    costByClass,
    requestCostUsd: requestCost,
    ...(isPriced ? { costUsd: cost } : { costUsd: undefined as never }),
    ...(bound === undefined ? {} : { upperBoundUsd: bound }),
    priceReference: price === undefined ? '' : `book:price-${price}`,
  });
  if (plan.correction === undefined) return [call];
  // What the call is now: reported, at the correction's price, and an amount that no class explains.
  const now = costsOf(plan.tokens, plan.correction.price);
  const difference = Object.fromEntries(
    Object.entries(now).map(([name, amount]) => [name, amount.minus(costByClass[name as TokenClass] ?? 0)]),
  );
  const correction = usageRecord({
    ...common,
    recordKind: 'correction',
    recordId: newUuid(),
    recordedAt: new Date(start + days * 86_400_000),
    settlement: 'reported',
    counts: countsOfCorrection({ settlement, isPriced }, { settlement: 'reported', isPriced: true }),
    tokens: settlement === 'unsettled' ? plan.tokens : {},
    costByClass: difference,
    requestCostUsd: usd('0'),
    costUsd: sumUsd([...Object.values(difference), usd(plan.correction.extra)]),
    ...(bound === undefined ? {} : { upperBoundUsd: bound.negated() }),
    priceReference: `book:price-${plan.correction.price}`,
  });
  return [call, correction];
}

let directory: string;
let store: ColumnStore;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-focus-'));
  store = await openMigratedColumns({ directory, database: 'millrace_focus' });
});

afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

async function rowsOf(request: FocusRequest, maxRecords = 100_000, team?: string): Promise<FocusRow[]> {
  const exports = new FocusExports({ store, billingAccount: 'house', maxRecords });
  const rows: FocusRow[] = [];
  for await (const piece of exports.rows(request, team === undefined ? {} : { team })) rows.push(...piece);
  return rows;
}

const sumOf = (rows: readonly FocusRow[], column: 'BilledCost' | 'x_OpenUpperBoundUsd'): string =>
  formatUsd(sumUsd(rows.map((row) => usd(row[column] ?? ''))));

describe('a FOCUS export', () => {
  it('has the columns of the specification', () => {
    expect(columnFaults(focusColumns.map(({ name }) => name))).toEqual([]);
  });

  it('keeps the rules and adds up to the reports, for whatever usage', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPlan, { minLength: 1, maxLength: 40 }), async (plans) => {
        await store.command(`TRUNCATE TABLE ${store.database}.usage`);
        const batch = newUuid();
        const lines = bindLines(batch, plans.flatMap(recordsOf).map(renderUsageLine));
        await store.insert({ table: 'usage', lines, deduplicationToken: batch });
        const period = { from: new Date(start), to: new Date(start + days * 86_400_000) };
        const report = await runCostQuery(store, { ...period, groupBy: ['team', 'model'] });
        for (const grain of ['hour', 'day'] as const) {
          const request = { ...period, grain, hasTokenDetails: true, filters: {} };
          const rows = await rowsOf(request);
          expect(rows.flatMap(rowFaults)).toEqual([]);
          expect(sumOf(rows, 'BilledCost')).toBe(formatUsd(report.total.costUsd));
          expect(sumOf(rows, 'x_OpenUpperBoundUsd')).toBe(formatUsd(report.total.upperBoundUsd));
          const unpriced = rows.reduce((sum, row) => sum + Number(row.x_UnpricedCalls), 0);
          expect(unpriced).toBe(report.total.unpricedCalls);
          for (const team of ['team-0', 'team-1']) {
            const ofTeam = report.groups.filter(({ group }) => group.team === team);
            const own = await rowsOf(request, 100_000, team);
            expect(sumOf(own, 'BilledCost')).toBe(formatUsd(sumUsd(ofTeam.map(({ costUsd }) => costUsd))));
            expect(own.every((row) => row.SubAccountId === team)).toBe(true);
          }
        }
        const daily = { ...period, grain: 'day' as const, hasTokenDetails: true, filters: {} };
        const textOf = (row: FocusRow): string => JSON.stringify(row);
        const [whole, inParts] = [await rowsOf(daily), await rowsOf(daily, 10)];
        expect(inParts.length).toBe(whole.length);
        expect(new Set(inParts.map(textOf))).toEqual(new Set(whole.map(textOf)));
      }),
      { numRuns: depth({ usual: 2, full: 4 }) },
    );
  }, 240_000);

  describe('of many calls', () => {
    const request: FocusRequest = {
      from: new Date(start),
      to: new Date(start + 86_400_000),
      grain: 'day',
      hasTokenDetails: false,
      filters: {},
    };
    const limits = { maxSeconds: 20, maxMemoryBytes: 400_000_000, maxRows: 1_000 };

    beforeAll(async () => {
      await store.command(`TRUNCATE TABLE ${store.database}.usage`);
      const batch = newUuid();
      // Charged 5.5 % above the list, another amount each, for a customer each.
      const calls = Array.from({ length: 1_500 }, (_, n) => {
        const list = usd('0.001')
          .times(1_000 + n)
          .div(1_000);
        const charge = list.times('0.055');
        return usageRecord({
          recordId: newUuid(),
          sentAt: new Date(start + n),
          origin: { team: 'search', customer: `customer-${n % 750}`, feature: 'f' },
          tokens: { uncached_input: 1_000 + n },
          costByClass: { uncached_input: list },
          requestCostUsd: charge,
          costUsd: list.plus(charge),
          listCostUsd: list,
        });
      });
      const lines = bindLines(batch, calls.map(renderUsageLine));
      await store.insert({ table: 'usage', lines, deduplicationToken: batch });
    });

    it('has one row for what was charged beside the list price, which is no price of its own', async () => {
      const rows = await rowsOf({ ...request, filters: { customer: ['customer-7'] } });
      expect(rows.map((row) => row.SkuMeter)).toEqual(['Charge beside the List Price', 'Input Tokens']);
      const [charge, tokens] = rows;
      expect(charge).toMatchObject({ ListCost: '0', ListUnitPrice: null, ChargeCategory: 'Adjustment' });
      expect(tokens?.ListUnitPrice).toBe('1');
      expect(rows.flatMap(rowFaults)).toEqual([]);
    });

    it('is not refused for its rows, and comes in pieces of a thousand', async () => {
      const exports = new FocusExports({ store, billingAccount: 'house', limits, maxRecords: 2_000 });
      const pieces: number[] = [];
      for await (const piece of exports.rows(request, {})) pieces.push(piece.length);
      expect(pieces).toEqual([1_000, 500]);
    });

    it('counts among the exports at once until it is read or given up', async () => {
      const limiter = new ConcurrencyLimiter({
        what: 'FOCUS exports',
        limit: 1,
        maxWaiting: 0,
        maxWaitMs: 1,
        clock: systemClock,
      });
      const exports = new FocusExports({ store, billingAccount: 'house', limiter });
      const first = exports.rows(request, {});
      await first.next();
      await expect(exports.rows(request, {}).next()).rejects.toMatchObject({ code: 'MILLRACE_OVERLOADED' });
      await first.return(undefined);
      await expect.poll(async () => (await exports.rows(request, {}).next()).done).toBe(false);
    });

    it('tells the log when it breaks off', async () => {
      const { logger, lines } = recordingLogger();
      let asked = 0;
      const failing: ColumnStore = {
        ...store,
        kind: store.kind,
        database: store.database,
        query: async <Row>(sql: string, parameters?: Readonly<Record<string, unknown>>) => {
          asked += 1;
          if (asked > 2) throw new Error('the store is away');
          return await store.query<Row>(sql, parameters);
        },
      };
      const rows = new FocusExports({
        store: failing,
        billingAccount: 'house',
        logger,
        maxRecords: 500,
      }).rows(request, {});
      const read = async (): Promise<void> => {
        for await (const piece of rows) expect(piece.length).toBeGreaterThan(0);
      };
      await expect(read()).rejects.toThrow('away');
      expect(lines.map(({ message }) => message)).toContainEqual(expect.stringContaining('broke off'));
    });
  });
});
