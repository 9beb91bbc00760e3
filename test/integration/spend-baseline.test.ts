import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SpendBaseline, spendRatios } from '../../src/capabilities/costs/spend-baseline.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { newId } from '../../src/kernel/ids.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { formatUsd, sumUsd, type Usd, usd } from '../../src/kernel/money.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { writeBatch } from '../../src/engine/export/export-batch-writer.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import {
  readSpendHistory,
  type SpendHistory,
  spendHistorySql,
} from '../../src/capabilities/costs/spend-baseline-query.ts';
import { spendRollups } from '../../src/capabilities/costs/spend-rows.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { depth } from '../support/test-depth.ts';
import { usageRecord } from '../support/usage-records.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A moment in the middle of a day, off the whole hour. */
const now = new Date('2026-03-10T14:20:00.500Z');
const settings = { days: 7, minimumDays: 2, hourFloorUsd: '1', dayFloorUsd: '5' };

interface Call {
  readonly customer: string;
  readonly agoMs: number;
  readonly cost: string;
}

const question = {
  now,
  days: settings.days,
  hourFloorUsd: usd(settings.hourFloorUsd),
  dayFloorUsd: usd(settings.dayFloorUsd),
};

describe('spend against its baseline', () => {
  let directory: string;
  let store: ColumnStore;

  async function seed(calls: readonly Call[], at = now): Promise<void> {
    const id = newId(new Date());
    const records = calls.map(({ customer, agoMs, cost }) =>
      usageRecord({
        recordId: newId(new Date()),
        sentAt: new Date(at.getTime() - agoMs),
        origin: { team: `team of ${customer}`, customer, feature: 'triage' },
        costUsd: usd(cost),
        costByClass: {},
      }),
    );
    const lines = bindLines(id, records.map(renderUsageLine));
    await writeBatch(store, { id, table: 'usage', lines, rows: records.length }, { mayHaveBeenTried: false });
  }

  /** The same amount at the same time of each of so many days, today first. */
  const daily = (customer: string, cost: string, days: readonly number[], agoMs = hourMs / 2): Call[] =>
    days.map((day) => ({ customer, cost, agoMs: agoMs + day * dayMs }));
  const week = [1, 2, 3, 4, 5, 6, 7];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-baseline-'));
    store = await openMigratedColumns({ directory, database: 'millrace' });
  });

  beforeEach(() => store.command(`TRUNCATE TABLE ${store.database}.usage`));

  afterAll(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });

  const ratiosOf = async (dimension: string): Promise<Record<string, number>> =>
    Object.fromEntries(
      spendRatios(await readSpendHistory(store, question), settings)
        .filter((ratio) => ratio.dimension === dimension)
        .map(({ name, ratio }) => [name, ratio]),
    );

  it('is how many times the usual a name spends now', async () => {
    await seed([
      ...daily("o'steady", '6', [0, ...week]),
      ...daily('five times', '10', week),
      ...daily('five times', '50', [0]),
      // Half of what is usual by this time of day, but all of it within the last hour: 6 dollars against none.
      ...daily('late', '12', week, 5 * hourMs),
      ...daily('late', '6', [0]),
      ...daily('dear day', '1', week, 5 * hourMs),
      ...daily('dear day', '40', [0], 5 * hourMs),
    ]);
    expect(await ratiosOf('customer')).toEqual({
      'dear day': 8,
      late: 6,
      'five times': 5,
      "o'steady": 1.2 / 1.2,
    });
    expect(await ratiosOf('team')).toMatchObject({ 'team of five times': 5 });
    expect(Object.keys(await ratiosOf('feature'))).toEqual(['triage']);
  });

  it('judges nobody by cents or by a single day', async () => {
    await seed([
      ...daily('cents', '0.0001', week),
      ...daily('cents', '0.99', [0]),
      ...daily('newcomer', '0.01', [1]),
      ...daily('newcomer', '900', [0]),
      ...daily('known for two days', '10', [1, 2]),
      ...daily('known for two days', '40', [0]),
    ]);
    expect(await ratiosOf('customer')).toEqual({ 'known for two days': 4 });
  });

  it.each([
    now.toISOString(),
    '2026-03-10T14:00:00.000Z',
    '2026-03-10T00:20:00.000Z',
    '2026-03-10T00:00:00.000Z',
    '2026-03-10T23:59:59.999Z',
  ])('adds up what plain addition adds up, at %s', async (time) => {
    const at = new Date(time);
    const call = fc.record({
      customer: fc.constantFrom('a', 'b', 'c'),
      agoMs: fc.oneof(
        fc.integer({ min: -hourMs, max: 9 * dayMs }),
        // Near the edges of the windows.
        fc
          .tuple(
            fc.nat({ max: 8 }),
            fc.constantFrom(0, hourMs, at.getTime() % dayMs, at.getTime() % hourMs),
            fc.integer({ min: -1, max: 1 }),
          )
          .map(([days, edge, off]) => days * dayMs + edge + off),
      ),
      cost: fc.integer({ min: 1, max: 999 }).map((cents) => (cents / 100).toFixed(2)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 40 }), async (calls) => {
        await store.command(`TRUNCATE TABLE ${store.database}.usage`);
        await seed(calls, at);
        const rows = await readSpendHistory(store, { ...question, now: at });
        const expected = expectedOf(calls, at).map(plain);
        const found = (wanted: string) => rows.filter(({ dimension }) => dimension === wanted).map(plain);
        expect(found('customer').toSorted(byName)).toEqual(expected.toSorted(byName));
        // Each customer has a team of its own: from the rollup comes what comes from records.
        const teams = expected.map((history) => ({ ...history, name: `team of ${history['name']}` }));
        expect(found('team').toSorted(byName)).toEqual(teams.toSorted(byName));
      }),
      { numRuns: depth({ usual: 3, full: 8 }) },
    );
  });

  it('reads teams and features from the rollup by the hour', async () => {
    await seed([...daily('acme', '10', week), ...daily('acme', '50', [0])]);
    const { projection } = spendRollups.hour;
    const { sql, parameters } = spendHistorySql(question, store.database);
    const plan = await store.query<{ explain: string }>(
      `EXPLAIN ${sql} SETTINGS preferred_optimize_projection_name = '${projection}'`,
      parameters,
    );
    expect(plan.some(({ explain }) => explain.includes(projection))).toBe(true);
  });

  it('shows the 20 highest of a dimension, and forgets who is no longer among them', async () => {
    const metrics = createMetrics(metricCatalogue);
    const clock = new ManualClock(now);
    const baseline = new SpendBaseline({ store, metrics, clock, settings });
    const names = Array.from({ length: 25 }, (_, index) => `customer ${index + 1}`);
    await seed(
      names.flatMap((name, index) => [...daily(name, '2', week), ...daily(name, `${index + 2}`, [0])]),
    );
    const shown = async (): Promise<string[]> =>
      [
        ...(await metrics.render()).body.matchAll(
          /spend_over_baseline_ratio\{dimension="customer",name="([^"]*)"\} (\S+)/g,
        ),
      ].map(([, name = '', value = '']) => `${name}: ${value}`);
    await baseline.compare();
    const first = await shown();
    expect(first).toHaveLength(20);
    expect(first).toContain('customer 25: 13');
    expect(first).not.toContain('customer 5: 3');

    await seed(daily('customer 1', '100', [0]));
    await baseline.compare();
    const second = await shown();
    expect(second).toHaveLength(20);
    expect(second).toContain('customer 1: 51');
    expect(second.join()).not.toContain('customer 6:');

    baseline.forget();
    expect(await shown()).toEqual([]);
  });

  it('shows nothing while the store is away, rather than old ratios', async () => {
    const metrics = createMetrics(metricCatalogue);
    await seed([...daily('acme', '10', week), ...daily('acme', '50', [0])]);
    let isAway = false;
    const flaky: ColumnStore = {
      ...store,
      database: store.database,
      query: (sql, parameters) => (isAway ? Promise.reject(new Error('away')) : store.query(sql, parameters)),
    };
    const baseline = new SpendBaseline({ store: flaky, metrics, clock: new ManualClock(now), settings });
    await baseline.compare();
    expect((await metrics.render()).body).toContain('name="acme"} 5');
    isAway = true;
    await expect(baseline.compare()).rejects.toThrow('away');
    expect((await metrics.render()).body).not.toContain('name="acme"');
  });
});

type PlainHistory = Record<string, string | number>;

const plain = (history: SpendHistory): PlainHistory => ({
  name: history.name,
  hour: formatUsd(history.hourUsd),
  pastHours: formatUsd(history.pastHoursUsd),
  day: formatUsd(history.dayUsd),
  pastDays: formatUsd(history.pastDaysUsd),
  knownDays: history.knownDays,
});
const byName = (left: PlainHistory, right: PlainHistory): number =>
  String(left['name']).localeCompare(String(right['name']));

/** The same from the calls themselves: windows are open at their start and end just before `now`. */
function expectedOf(calls: readonly Call[], at: Date): SpendHistory[] {
  const seen = calls.filter(({ agoMs }) => agoMs > 0 && agoMs <= 8 * dayMs);
  const sum = (of: readonly Call[]): Usd => sumUsd(of.map(({ cost }) => usd(cost)));
  const within = (of: readonly Call[], partMs: number, isDay: (day: number) => boolean): Usd =>
    sum(
      of.filter(({ agoMs }) =>
        Array.from({ length: 8 }, (_, day) => day).some(
          (day) => isDay(day) && agoMs > day * dayMs && agoMs <= day * dayMs + partMs,
        ),
      ),
    );
  const todayMs = at.getTime() % dayMs;
  return [...Map.groupBy(seen, ({ customer }) => customer)]
    .map(([name, of]): SpendHistory => ({
      dimension: 'customer',
      name,
      hourUsd: within(of, hourMs, (day) => day === 0),
      pastHoursUsd: within(of, hourMs, (day) => day > 0),
      dayUsd: within(of, todayMs, (day) => day === 0),
      pastDaysUsd: within(of, todayMs, (day) => day > 0),
      knownDays: Math.min(7, Math.floor((Math.max(0, ...of.map(({ agoMs }) => agoMs)) - 1) / dayMs)),
    }))
    .filter(({ hourUsd, dayUsd }) => hourUsd.gte(1) || dayUsd.gte(5));
}
