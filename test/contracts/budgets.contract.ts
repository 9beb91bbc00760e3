import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { BudgetLedger, parkedForBudget } from '../../src/capabilities/budgets/budget-ledger.ts';
import type { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import {
  reserveOf,
  settledFor,
  someBudget,
  stateOf,
  turnWindows,
  unsettledFor,
} from '../support/budget-fixture.ts';
import { LedgerHarness, someReservation } from '../support/ledger-fixture.ts';

/** What the ledger promises about budgets, on whichever database. Every test begins empty. */
export function budgetsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`budgets in the ledger on ${name}`, () => {
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

    it('reserves the upper bound and settles to the truth', async () => {
      await budgets.define([someBudget()]);
      const { id, outcome } = await reserveOf(calls, '0.6');
      expect(outcome).toEqual({ kind: 'reserved', at: expect.any(Date) });
      expect(await figures()).toBe('0 spent, 0.6 reserved');
      await noFaults();
      expect(await calls.settle(settledFor(id, '0.123456789012345678'))).toBe(true);
      expect(await figures()).toBe('0.123456789012345678 spent, 0 reserved');
      expect(await calls.settle(settledFor(id, '0.5'))).toBe(false);
      expect(await figures()).toBe('0.123456789012345678 spent, 0 reserved');
      await noFaults();
    });

    it('reserves nothing for a call that does not fit, and says which budget and until when', async () => {
      await budgets.define([someBudget({ limitUsd: '1' })]);
      await reserveOf(calls, '0.6');
      const { outcome } = await reserveOf(calls, '0.400000000000000001');
      const { windowEndsAt } = await stateOf(budgets);
      expect(outcome).toMatchObject({ kind: 'over_quota', quota: 'search', windowEndsAt });
      expect(windowEndsAt.getTime()).toBeGreaterThan(Date.now());
      expect(await figures()).toBe('0 spent, 0.6 reserved');
      expect((await reserveOf(calls, '0.4')).outcome.kind).toBe('reserved');
      expect(await figures()).toBe('0 spent, 1 reserved');
      expect((await calls.totals()).calls).toBe(2);
      await noFaults();
    });

    it('changes what holds by an order, with an entry in the audit; a look or a refusal changes nothing', async () => {
      await budgets.define([someBudget({ limitUsd: '1' }), someBudget({ name: 'old' })]);
      const wanted = [someBudget({ limitUsd: '2.50' }), someBudget({ name: 'new', team: undefined })];
      const changes = [
        { budget: 'new', change: 'added' },
        { budget: 'old', change: 'removed' },
        { budget: 'search', change: 'changed', fields: { limitUsd: { from: '1', to: '2.5' } } },
      ];
      const present = async () =>
        (await budgets.read()).map(({ name: budget, limit }) => `${budget} ${formatUsd(limit)}`);
      const audit = async () => {
        const { rows } = await database.query({
          name: 'test.audit',
          text: `select actor, action, target, affected, detail, reason from millrace.operator_actions where action = 'budgets.apply'`,
        });
        return rows;
      };
      await database.execute('truncate millrace.operator_actions');
      expect(await budgets.change(wanted, () => undefined)).toMatchObject(changes);
      const refusal = new Error('not these');
      await expect(
        budgets.change(wanted, () => {
          throw refusal;
        }),
      ).rejects.toBe(refusal);
      expect(await present()).toEqual(['old 1', 'search 1']);
      expect(await audit()).toEqual([]);
      const done = await budgets.change(wanted, () => ({
        id: newId(new Date()),
        actor: 'ann',
        reason: 'a new year',
      }));
      expect(done).toMatchObject(changes);
      expect(await present()).toEqual(['new 1', 'search 2.5']);
      const [entry] = await audit();
      expect(entry).toEqual({
        actor: 'ann',
        action: 'budgets.apply',
        target: 'budgets',
        affected: 3,
        detail: { changes: done },
        reason: 'a new year',
      });
      const isAsked: string[] = [];
      expect(await budgets.change(wanted, () => void isAsked.push('asked'))).toEqual([]);
      expect(isAsked).toEqual([]);
    });

    it('takes all budgets of a call or none', async () => {
      await budgets.define([
        someBudget({ name: 'wide', limitUsd: '10', team: undefined }),
        someBudget({ name: 'narrow', limitUsd: '1', window: 'hour' }),
      ]);
      const both = ['wide', 'narrow'];
      expect((await reserveOf(calls, '0.7', both)).outcome.kind).toBe('reserved');
      expect((await reserveOf(calls, '0.7', both)).outcome).toMatchObject({ quota: 'narrow' });
      expect((await reserveOf(calls, '0.7', ['wide'])).outcome.kind).toBe('reserved');
      expect(await figures('wide')).toBe('0 spent, 1.4 reserved');
      expect(await figures('narrow')).toBe('0 spent, 0.7 reserved');
      await noFaults();
    });

    it('decides a group in order: what does not fit leaves room for smaller ones after it', async () => {
      await budgets.define([someBudget()]);
      const bounds = ['0.5', '0.6', '0.3', '0.3', '0.2', '0.1'];
      const asked = await Promise.all(bounds.map((bound) => reserveOf(calls, bound)));
      expect(asked.map(({ outcome }) => outcome.kind === 'reserved')).toEqual([
        true,
        false,
        true,
        false,
        true,
        false,
      ]);
      expect(await figures()).toBe('0 spent, 1 reserved');
      await noFaults();
    });

    it('makes a call once, also when it is asked twice', async () => {
      await budgets.define([someBudget()]);
      const reservation = someReservation({
        id: newId(new Date()),
        message: undefined,
        origin: { team: 'blue', customer: 'acme', feature: 'search' },
        quotas: ['search'],
      });
      const twice = await Promise.all([calls.reserve(reservation), calls.reserve(reservation)]);
      expect(twice).toEqual([{ kind: 'reserved', at: expect.any(Date) }, { kind: 'lease_expired' }]);
      expect(await calls.reserve(reservation)).toEqual({ kind: 'lease_expired' });
      expect(await figures()).toBe('0 spent, 0.5 reserved');
      await noFaults();
    });

    it('reserves nothing without a lease that runs', async () => {
      await budgets.define([someBudget()]);
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      const ask = (withFencingToken: number) =>
        calls.reserve(
          someReservation({
            id: newId(new Date()),
            message: { id, fencingToken: withFencingToken },
            quotas: ['search'],
          }),
        );
      expect(await ask(fencingToken - 1)).toEqual({ kind: 'lease_expired' });
      expect(await ask(fencingToken)).toEqual({ kind: 'reserved', at: expect.any(Date) });
      await harness.expireLeases();
      expect(await ask(fencingToken)).toEqual({ kind: 'lease_expired' });
      expect(await figures()).toBe('0 spent, 0.5 reserved');
      await noFaults();
    });

    it('counts an unsettled call with its bound until the truth comes', async () => {
      await budgets.define([someBudget({ limitUsd: '2' })]);
      const { id } = await reserveOf(calls, '0.8');
      expect(await calls.settle(unsettledFor(id, '0.8'))).toBe(true);
      expect(await figures()).toBe('0.8 spent, 0 reserved');
      await noFaults();
      expect(await calls.settleLate(settledFor(id, '0.3'), ['{}'])).toBe(true);
      expect(await calls.settleLate(settledFor(id, '0.3'), ['{}'])).toBe(false);
      expect(await figures()).toBe('0.3 spent, 0 reserved');
      await noFaults();
    });

    it('counts the cost of an answer that is rejected like any other, once', async () => {
      await budgets.define([someBudget()]);
      const { id } = await reserveOf(calls, '0.6');
      expect(await calls.settle(settledFor(id, '0.25'))).toBe(true);
      const answered = await calls.invalidOutputs.findAnswered(id);
      if (answered === undefined) throw new Error('the call has no answer');
      expect(answered.costUsd).toEqual(usd('0.25'));
      expect(await calls.invalidOutputs.reject(answered, ['{}'])).toBe(true);
      expect(await calls.invalidOutputs.reject(answered, ['{}'])).toBe(false);
      expect(await figures()).toBe('0.25 spent, 0 reserved');
      // One that is rejected as it is settled.
      const { id: other } = await reserveOf(calls, '0.6');
      const invalidOutput = settledFor(other, '0.5', { isInvalidated: true, wasteReason: 'invalid_output' });
      expect(await calls.settle(invalidOutput)).toBe(true);
      expect(await calls.invalidOutputs.findAnswered(other)).toBeUndefined();
      expect(await figures()).toBe('0.75 spent, 0 reserved');
      await noFaults();
    });

    it('frees what a crash left reserved when the call is given up: its bound counts as spent', async () => {
      await budgets.define([someBudget()]);
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      const call = newId(new Date());
      await calls.reserve(someReservation({ id: call, message: { id, fencingToken }, quotas: ['search'] }));
      await harness.expireLeases();
      expect(await calls.listAbandoned(0, 10)).toHaveLength(1);
      expect(await calls.abandon([{ id: call, line: '{}' }])).toBe(1);
      expect(await calls.abandon([{ id: call, line: '{}' }])).toBe(0);
      expect(await figures()).toBe('0.5 spent, 0 reserved');
      await noFaults();
      expect(await calls.settle(settledFor(call, '0.1'))).toBe(false);
      expect(await calls.settleLate(settledFor(call, '0.1'), ['{}'])).toBe(true);
      expect(await figures()).toBe('0.1 spent, 0 reserved');
      await noFaults();
    });

    it('keeps the bound of a call that was settled without a price', async () => {
      await budgets.define([someBudget()]);
      const { id } = await reserveOf(calls, '0.4');
      await calls.settle(settledFor(id, '0', { costUsd: undefined }));
      expect(await figures()).toBe('0.4 spent, 0 reserved');
      await noFaults();
    });

    it('lets unpriced calls pass that are allowed, while there is room at all', async () => {
      await budgets.define([someBudget({ limitUsd: '1', unpriced: 'allow' })]);
      const { id, outcome } = await reserveOf(calls, undefined);
      expect(outcome.kind).toBe('reserved');
      await calls.settle(settledFor(id, '0.25'));
      expect(await figures()).toBe('0.25 spent, 0 reserved');
      await reserveOf(calls, '0.75');
      expect((await reserveOf(calls, undefined)).outcome.kind).toBe('over_quota');
      await noFaults();
    });

    it('begins each window anew, and settles a call in the window that it was reserved in', async () => {
      await budgets.define([someBudget()]);
      const { id } = await reserveOf(calls, '1');
      await turnWindows(database);
      expect(await figures()).toBe('0 spent, 0 reserved');
      expect((await reserveOf(calls, '1')).outcome.kind).toBe('reserved');
      await calls.settle(settledFor(id, '0.5'));
      expect(await figures()).toBe('0 spent, 1 reserved');
      await noFaults();
    });

    it.each([
      ['hour', (at: Date) => at.setUTCMinutes(0, 0, 0), 3_600_000],
      ['day', (at: Date) => at.setUTCHours(0, 0, 0, 0), 86_400_000],
      [
        'week',
        (at: Date) => {
          at.setUTCHours(0, 0, 0, 0);
          return at.setUTCDate(at.getUTCDate() - ((at.getUTCDay() + 6) % 7));
        },
        7 * 86_400_000,
      ],
      [
        'month',
        (at: Date) => {
          at.setUTCHours(0, 0, 0, 0);
          return at.setUTCDate(1);
        },
        undefined,
      ],
    ] as const)('has the calendar %s in UTC as a window', async (window, begin, lengthMs) => {
      await budgets.define([someBudget({ window })]);
      const before = new Date();
      const state = await stateOf(budgets);
      begin(before);
      expect(state.windowStart).toEqual(before);
      const length = state.windowEndsAt.getTime() - state.windowStart.getTime();
      if (lengthMs === undefined) {
        const end = new Date(Date.UTC(before.getUTCFullYear(), before.getUTCMonth() + 1, 1));
        expect(state.windowEndsAt).toEqual(end);
      } else expect(length).toBe(lengthMs);
      expect(state.endsInMs).toBeGreaterThan(0);
      expect(state.endsInMs).toBeLessThanOrEqual(length);
    });

    it('takes a raised limit at once, and what was spent stays', async () => {
      await budgets.define([someBudget()]);
      await reserveOf(calls, '1');
      expect((await reserveOf(calls, '0.5')).outcome.kind).toBe('over_quota');
      await budgets.define([someBudget({ limitUsd: '1.5' })]);
      expect((await reserveOf(calls, '0.5')).outcome.kind).toBe('reserved');
      expect(await figures()).toBe('0 spent, 1.5 reserved');
    });

    it('holds nothing back for a budget that was removed, and remembers when it comes again', async () => {
      await budgets.define([someBudget()]);
      const { id } = await reserveOf(calls, '1');
      await budgets.define([]);
      expect(await budgets.read()).toEqual([]);
      const free = await reserveOf(calls, '5');
      expect(free.outcome.kind).toBe('reserved');
      await calls.settle(settledFor(free.id, '5'));
      await calls.settle(settledFor(id, '0.9'));
      await budgets.define([someBudget()]);
      expect(await figures()).toBe('0.9 spent, 0 reserved');
      await noFaults();
    });

    it('lets waiting messages go on, the longest waiting first, and no others', async () => {
      await budgets.define([someBudget()]);
      const parkedFor = parkedForBudget('search');
      const ids: string[] = [];
      for (const name of [parkedFor, parkedFor, parkedFor, 'pause:1']) {
        const id = await harness.admitted();
        const { fencingToken } = await harness.leased(id);
        await harness.ledger.park({ id, fencingToken, delayMs: undefined, parkedFor: name });
        ids.push(id);
      }
      expect(await budgets.waitedFor()).toEqual(['search']);
      expect(await budgets.countWaiting()).toEqual(new Map([['search', 3]]));
      const freed = await budgets.release('search', 2);
      expect(freed.map(({ id }) => id).toSorted()).toEqual(ids.slice(0, 2).toSorted());
      expect(freed[0]).toMatchObject({ stage: 'first', origin: { team: 'blue' } });
      await harness.leased(ids[0] ?? '');
      expect(await budgets.release('search', 10)).toHaveLength(1);
      expect(await budgets.waitedFor()).toEqual([]);
    });

    it('remembers the smallest bound asked for, and the smallest that did not fit until messages are released', async () => {
      await budgets.define([someBudget()]);
      for (const bound of ['0.2', '0.7', '0.9', '0.8', '3']) await reserveOf(calls, bound);
      const asked = await stateOf(budgets);
      expect([asked.leastAsked, asked.leastRefused].map((amount) => amount?.toString())).toEqual([
        '0.2',
        '0.8',
      ]);
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      await harness.ledger.park({
        id,
        fencingToken,
        delayMs: undefined,
        parkedFor: parkedForBudget('search'),
      });
      await budgets.release('search', 10);
      expect((await stateOf(budgets)).leastRefused).toBeUndefined();
    });

    it.each([
      ['spent', `update millrace.quota_windows set spent = spent + 0.000000000000000001`],
      ['reserved', `update millrace.quota_windows set reserved = reserved + 1`],
      ['counts for', `update millrace.calls set quota_usd = 0 where state = 'settled'`],
      [' of 1', `update millrace.quota_windows set spent = 7`],
      ['its calls', `delete from millrace.quota_windows`],
    ])('finds figures that do not add up: %s', async (what, damage) => {
      await budgets.define([someBudget()]);
      const { id } = await reserveOf(calls, '0.4');
      await calls.settle(settledFor(id, '0.2'));
      await reserveOf(calls, '0.5');
      await noFaults();
      await database.execute(damage);
      const faults = await budgets.findFaults();
      expect(faults.map((fault) => fault.what).join('; ')).toContain(what);
      expect(faults[0]?.budget).toBe('search');
    });
  });
}
