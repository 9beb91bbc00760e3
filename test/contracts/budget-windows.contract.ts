import { beforeEach, describe, expect, it } from 'vitest';
import { BudgetAlerts } from '../../src/capabilities/budgets/budget-alerts.ts';
import { forecastOf } from '../../src/capabilities/budgets/budget-forecast.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { BudgetOperations } from '../../src/capabilities/budgets/budget-operations.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { endOfWindow, startOfWindow } from '../../src/engine/ledger/quota-sql.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd, readAmount as amount } from '../../src/kernel/money.ts';
import { addDays, addMonths, dayAt, startOfDay } from '../../src/kernel/time-zone.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import {
  reserveOf,
  settledFor,
  someBudget,
  stateOf,
  turnWindows,
  unsettledFor,
} from '../support/budget-fixture.ts';
import { LedgerHarness } from '../support/ledger-fixture.ts';
import { recordingLogger } from '../support/recording-logger.ts';

/** Budgets of tokens, of time zones, over rolling windows, that only warn, and that operators set, on whichever database. */
export function budgetWindowsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`units and windows of budgets in the ledger on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;
    let calls: CallLedger;
    let budgets: BudgetLedger;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database, calls } = harness);
      budgets = new BudgetLedger(database);
    });

    async function figures(budget = 'search'): Promise<string> {
      const { spent, reserved } = await stateOf(budgets, budget);
      return `${formatUsd(spent)} spent, ${formatUsd(reserved)} reserved`;
    }

    async function noFaults(): Promise<void> {
      expect(await budgets.findFaults()).toEqual([]);
    }

    describe('of tokens', () => {
      const tokens = ['tokens'];
      const ask = (bound: number, quotas: readonly string[] = tokens, usd: string | undefined = '0.5') =>
        reserveOf(calls, usd, quotas, bound);

      beforeEach(() =>
        budgets.define([
          someBudget({ name: 'tokens', limitTokens: '1000', unpriced: 'allow' }),
          someBudget({ name: 'dollars', limitUsd: '1' }),
        ]),
      );

      it('reserve what a call can use at most, and settle to what it used', async () => {
        const { id } = await ask(700);
        expect(await figures('tokens')).toBe('0 spent, 700 reserved');
        const missed = await ask(301);
        expect(missed.outcome).toMatchObject({ kind: 'over_quota', quota: 'tokens', limit: amount('1000') });
        await noFaults();
        await calls.settle(settledFor(id, '0.1', { tokens: { uncached_input: 400, reasoning: 33 } }));
        expect(await figures('tokens')).toBe('433 spent, 0 reserved');
        expect((await ask(567)).outcome.kind).toBe('reserved');
        await noFaults();
      });

      it('take all budgets of a call or none, whatever they count', async () => {
        const both = ['tokens', 'dollars'];
        expect((await ask(600, both, '0.7')).outcome.kind).toBe('reserved');
        expect((await ask(100, both, '0.7')).outcome).toMatchObject({ quota: 'dollars' });
        expect((await ask(600, both, '0.1')).outcome).toMatchObject({ quota: 'tokens' });
        expect([await figures('tokens'), await figures('dollars')]).toEqual([
          '0 spent, 600 reserved',
          '0 spent, 0.7 reserved',
        ]);
        expect((await ask(400, both, '0.3')).outcome.kind).toBe('reserved');
        await noFaults();
      });

      it('count a call without a price, a free one with nothing, an unsettled one with its bound until the truth comes', async () => {
        const unpriced = await ask(100, tokens, undefined);
        expect(unpriced.outcome.kind).toBe('reserved');
        await calls.settle(settledFor(unpriced.id, '0', { costUsd: undefined, tokens: { text_output: 7 } }));
        const free = await ask(100);
        await calls.settle(settledFor(free.id, '0', { settlement: 'free', outcome: 'error', tokens: {} }));
        expect(await figures('tokens')).toBe('7 spent, 0 reserved');
        const unknown = await ask(500);
        await calls.settle(unsettledFor(unknown.id, '0.5'));
        expect(await figures('tokens')).toBe('507 spent, 0 reserved');
        await noFaults();
        await calls.settleLate(settledFor(unknown.id, '0.1', { tokens: { uncached_input: 20 } }), ['{}']);
        expect(await figures('tokens')).toBe('27 spent, 0 reserved');
        const dead = await ask(300, ['tokens', 'dollars']);
        expect(await calls.abandon([{ id: dead.id, line: '{}' }])).toBe(1);
        expect([await figures('tokens'), await figures('dollars')]).toEqual([
          '327 spent, 0 reserved',
          '0.5 spent, 0 reserved',
        ]);
        await noFaults();
      });

      it('never count in another unit under the same name', async () => {
        const other = [someBudget({ name: 'tokens', limitUsd: '5' })];
        await expect(budgets.define(other)).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
        await budgets.define([]);
        await expect(budgets.define(other)).rejects.toThrow('has counted tokens under this name');
      });
    });

    it('holds nothing back where a budget only warns, and counts all the same', async () => {
      await budgets.define([someBudget({ atLimit: 'alert', limitUsd: '1' }), someBudget({ name: 'hard' })]);
      expect((await reserveOf(calls, '7')).outcome.kind).toBe('reserved');
      expect((await reserveOf(calls, undefined)).outcome.kind).toBe('reserved');
      expect((await reserveOf(calls, '2', ['search', 'hard'])).outcome).toMatchObject({ quota: 'hard' });
      expect(await figures()).toBe('0 spent, 7 reserved');
      await noFaults();
    });

    describe('of a time zone', () => {
      const zones = [
        'UTC',
        'Europe/Berlin',
        'America/New_York',
        'Africa/Cairo', // clocks skip midnight
        'Asia/Kathmandu',
        'Australia/Lord_Howe', // half an hour
        'Pacific/Apia',
      ];
      const hourMs = 3_600_000;

      interface Bounds {
        readonly start: Date;
        readonly end: Date;
      }

      async function windowsOf(
        zone: string,
        unit: string,
        instants: readonly Date[],
      ): Promise<readonly Bounds[]> {
        const { rows } = await database.query<Bounds>(
          {
            name: `test.windows`,
            text: `select s.start, ${endOfWindow('q', 's.start')} as "end"
              from json_array_elements_text($1::json) with ordinality as i(at, place)
              cross join (select $2::text as time_zone, $3::text as window_unit, null::interval as slice_length) q
              cross join lateral (select ${startOfWindow('q', 'i.at::timestamptz')} as start) s order by i.place`,
          },
          [JSON.stringify(instants), zone, unit],
        );
        return rows;
      }

      it.each(zones)('are its calendar days and months, longer and shorter ones too: %s', async (zone) => {
        // Every 5 hours of the weeks in which clocks are changed somewhere.
        const instants = [
          '2026-03-04',
          '2026-03-25',
          '2026-04-02',
          '2026-04-20',
          '2026-09-24',
          '2026-10-20',
          '2026-10-29',
        ].flatMap((from) =>
          Array.from({ length: 48 }, (_, n) => new Date(Date.parse(from) + n * 5 * hourMs)),
        );
        const days = await windowsOf(zone, 'day', instants);
        const months = await windowsOf(zone, 'month', instants);
        for (const [index, at] of instants.entries()) {
          const day = dayAt(zone, at.getTime());
          expect(days[index], `${zone} ${at.toISOString()}`).toEqual({
            start: new Date(startOfDay(zone, day)),
            end: new Date(startOfDay(zone, addDays(day, 1))),
          });
          const month = `${day.slice(0, 7)}-01`;
          expect(months[index], `${zone} ${at.toISOString()}`).toEqual({
            start: new Date(startOfDay(zone, month)),
            end: new Date(startOfDay(zone, addMonths(month, 1))),
          });
        }
        const hours = await windowsOf(zone, 'hour', instants);
        for (const [index, { start, end }] of hours.entries()) {
          const atMs = instants[index]?.getTime() ?? 0;
          expect(start.getTime()).toBeLessThanOrEqual(atMs);
          expect(end.getTime()).toBeGreaterThan(atMs);
          expect(end.getTime() - start.getTime()).toBe(hourMs);
        }
      });

      it('end when its day does, and are refused where the database does not know the zone', async () => {
        const zone = 'Pacific/Auckland';
        await budgets.define([someBudget({ window: 'day', timeZone: zone })]);
        await reserveOf(calls, '0.5');
        const { windowStart, windowEndsAt, timeZone } = await stateOf(budgets);
        const day = dayAt(zone, Date.now());
        expect(timeZone).toBe(zone);
        expect(windowStart).toEqual(new Date(startOfDay(zone, day)));
        expect(windowEndsAt).toEqual(new Date(startOfDay(zone, addDays(day, 1))));
        expect(await figures()).toBe('0 spent, 0.5 reserved');
        const nowhere = [someBudget({ timeZone: 'Mars/Olympus' })];
        await expect(budgets.define(nowhere)).rejects.toThrow('Mars/Olympus');
        expect((await stateOf(budgets)).timeZone).toBe(zone);
      });
    });

    describe('that roll', () => {
      async function use(usd: string): Promise<string> {
        const { id, outcome } = await reserveOf(calls, usd);
        if (outcome.kind === 'reserved') await calls.settle(settledFor(id, usd));
        return outcome.kind;
      }

      it('hold their limit for every stretch of their length', async () => {
        await budgets.define([someBudget({ window: '24h' })]);
        expect(await use('0.6')).toBe('reserved');
        await turnWindows(database, '12 hours');
        expect(await use('0.5')).toBe('over_quota');
        expect(await use('0.3')).toBe('reserved');
        const { window, windowStart, windowEndsAt } = await stateOf(budgets);
        expect(window).toBe('24h');
        expect(Date.now() - windowStart.getTime()).toBeGreaterThanOrEqual(24 * 3_600_000);
        // The oldest of it comes back 24 hours and at most a slice after it was spent.
        const untilMs = windowEndsAt.getTime() - Date.now();
        expect(untilMs).toBeGreaterThan(11.5 * 3_600_000);
        expect(untilMs).toBeLessThanOrEqual(12.5 * 3_600_000);
        await turnWindows(database, '11 hours');
        expect(await use('0.2')).toBe('over_quota');
        await noFaults();
        await turnWindows(database, '2 hours');
        expect(await figures()).toBe('0.3 spent, 0 reserved');
        expect(await use('0.7')).toBe('reserved');
        expect(await use('0.000000000000000001')).toBe('over_quota');
        await noFaults();
      });

      it('settle a call in the slice that it was reserved in', async () => {
        await budgets.define([someBudget({ window: '7d' })]);
        const { id } = await reserveOf(calls, '1');
        await turnWindows(database, '3 days 12 hours');
        await reserveOf(calls, '0.5');
        await calls.settle(settledFor(id, '0.25'));
        expect((await reserveOf(calls, '0.5')).outcome.kind).toBe('reserved');
        expect(await figures()).toBe('0.25 spent, 0.5 reserved');
        await turnWindows(database, '4 days');
        expect(await figures()).toBe('0 spent, 0.5 reserved');
        await noFaults();
      });

      it('find sums above their limit, over slices', async () => {
        await budgets.define([someBudget({ window: '24h' })]);
        await use('0.6');
        await turnWindows(database, '6 hours');
        await budgets.define([someBudget({ window: '24h', limitUsd: '2' })]);
        await use('0.6');
        await noFaults();
        await budgets.define([someBudget({ window: '24h' })]);
        expect((await budgets.findFaults()).map(({ what }) => what)).toEqual([
          expect.stringMatching(/^spent 1\.2 and reserved .* of 1$/),
        ]);
      });
    });

    describe('set by operators', () => {
      let operations: BudgetOperations;
      const by = { actor: 'ann', reason: 'a new customer' };
      const mine = someBudget({ name: 'mine', team: undefined, customer: 'acme', alertAt: [50, 80] });

      beforeEach(async () => {
        operations = new BudgetOperations({ database, clock: systemClock });
        await database.execute('truncate millrace.operator_actions');
        await budgets.define([someBudget()]);
      });

      const names = async () => (await budgets.read()).map((state) => `${state.name} ${state.source}`);

      it('stay when a host starts with its configuration, and go when they are removed', async () => {
        await operations.set(mine, by);
        await budgets.define([someBudget()]);
        expect(await names()).toEqual(['mine operator', 'search configuration']);
        expect(await stateOf(budgets, 'mine')).toMatchObject({ customer: 'acme', alertAt: [50, 80] });
        expect((await reserveOf(calls, '2', ['mine'])).outcome.kind).toBe('over_quota');
        await operations.remove('mine', by);
        expect((await reserveOf(calls, '2', ['mine'])).outcome.kind).toBe('reserved');
        expect(await names()).toEqual(['search configuration']);
        await expect(operations.remove('mine', by)).rejects.toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
      });

      it('leave what the configuration names to it, but for the limit', async () => {
        const error = { code: 'MILLRACE_BUDGET_CONFIGURED' };
        await expect(operations.set(someBudget({ limitUsd: '9' }), by)).rejects.toMatchObject(error);
        await expect(operations.remove('search', by)).rejects.toMatchObject(error);
        expect(await operations.changesOf('search', 10)).toEqual([]);
      });

      it('raise a limit over restarts until it is reset, with who, when, from what, to what and why', async () => {
        await operations.setLimit('search', () => amount('3'), by);
        await budgets.define([someBudget()]);
        expect(await stateOf(budgets)).toMatchObject({ limit: amount('3'), configuredLimit: amount('1') });
        expect((await reserveOf(calls, '2')).outcome.kind).toBe('reserved');
        // The configuration changes below it.
        await budgets.define([someBudget({ limitUsd: '2.5' })]);
        expect(await stateOf(budgets)).toMatchObject({ limit: amount('3'), configuredLimit: amount('2.5') });
        await operations.resetLimit('search', { actor: 'bob', reason: 'done' });
        expect(await stateOf(budgets)).toMatchObject({ limit: amount('2.5'), configuredLimit: undefined });
        await expect(operations.resetLimit('search', by)).rejects.toMatchObject({
          code: 'MILLRACE_NOT_FOUND',
        });
        const fields = (from: string, to: string) => ({
          change: 'changed',
          fields: { limitUsd: { from, to } },
        });
        expect(await operations.changesOf('search', 10)).toMatchObject([
          { actor: 'bob', action: 'budgets.reset', reason: 'done', change: fields('3', '2.5') },
          { ...by, action: 'budgets.limit', at: expect.any(Date), change: fields('1', '3') },
        ]);
        // What changes nothing is not entered.
        await operations.setLimit('search', () => amount('2.5'), by);
        expect(await operations.changesOf('search', 10)).toHaveLength(2);
        expect(await operations.changesOf('mine', 10)).toEqual([]);
      });
    });

    describe('that tell of shares of their limit', () => {
      const metrics = createMetrics(metricCatalogue);
      let { logger, lines } = recordingLogger();
      const look = async () => {
        // Another process each time: what was told is in the ledger.
        await new BudgetAlerts({ database, read: () => budgets.read(), metrics, logger }).look();
        return lines.map(({ fields }) => `${String(fields['budget'])} ${String(fields['percent'])}`);
      };
      async function spend(usd: string, budget = 'search'): Promise<void> {
        const { id, outcome } = await reserveOf(calls, usd, [budget]);
        expect(outcome.kind).toBe('reserved');
        await calls.settle(settledFor(id, usd));
      }
      beforeEach(() => {
        ({ logger, lines } = recordingLogger());
      });

      it('tell of each once a window', async () => {
        await budgets.define([someBudget({ alertAt: [50, 80, 100] })]);
        await spend('0.49');
        expect(await look()).toEqual([]);
        await spend('0.01');
        expect(await look()).toEqual(['search 50']);
        expect(await look()).toEqual(['search 50']);
        await spend('0.495');
        expect((await look()).slice(1)).toEqual(['search 80']);
        // 0.005 is left, of which no call could be made: it is used up.
        expect((await reserveOf(calls, '0.01')).outcome.kind).toBe('over_quota');
        expect(await look()).toEqual(['search 50', 'search 80', 'search 100']);
        await turnWindows(database);
        expect(await look()).toHaveLength(3);
        await spend('0.6');
        expect((await look()).slice(3)).toEqual(['search 50']);
      });

      it('tell of each once in the length of a rolling window', async () => {
        await budgets.define([someBudget({ window: '24h', alertAt: [50], atLimit: 'alert' })]);
        await spend('0.5');
        expect(await look()).toEqual(['search 50']);
        await turnWindows(database, '20 hours');
        await spend('0.5');
        expect(await look()).toHaveLength(1);
        await turnWindows(database, '5 hours');
        expect(await look()).toEqual(['search 50', 'search 50']);
      });
    });

    it('forecast the end of a calendar window, and none of a rolling one', async () => {
      const day = 86_400_000;
      const state = { ...(await definedState()), windowStart: new Date(0), windowEndsAt: new Date(10 * day) };
      const at = (endsInMs: number, spent: string, reserved = '0') =>
        forecastOf({ ...state, endsInMs, spent: amount(spent), reserved: amount(reserved) });
      expect(at(9.9 * day, '0.5')).toBeUndefined();
      expect(at(6 * day, '0.4')).toEqual({ spent: amount('1'), exhaustedAt: new Date(10 * day) });
      expect(at(5 * day, '0.8')?.exhaustedAt).toEqual(new Date(6.25 * day));
      expect(at(5 * day, '0.1', '0.2')).toEqual({ spent: amount('0.4'), exhaustedAt: undefined });
      expect(forecastOf({ ...state, window: '24h', endsInMs: day })).toBeUndefined();
    });

    async function definedState() {
      await budgets.define([someBudget()]);
      return await stateOf(budgets);
    }
  });
}
