import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PeriodLedger } from '../../src/capabilities/costs/periods/period-ledger.ts';
import { PeriodService } from '../../src/capabilities/costs/periods/period-service.ts';
import { ExportLedger, exportTargets } from '../../src/engine/export/export-ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import { LedgerHarness, someReservation, someSettlement } from '../support/ledger-fixture.ts';
import { failureOf } from '../support/models-harness.ts';
import { ada, bookOf, recordsOf, repriceAll, settleCall } from '../support/repriced-calls.ts';

const call = {
  team: 'blue',
  customer: 'acme',
  feature: 'search',
  model: 'alpha',
  tokens: { uncached_input: 1_000_000 },
  isWaste: false,
  isEstimated: false,
} as const;
const book = (input: string) => bookOf({ alpha: { input, output: '1' } });
/** A moment of October 2026 in UTC, and in Berlin of November. */
const lateInOctober = '2026-10-31 23:30:00+00';

/** What is promised of closed periods, on whichever database. */
export function periodsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`closed periods on ${name}`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;
    let service: PeriodService;

    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
      await database.execute('truncate millrace.operator_actions, millrace.billing_periods');
      service = new PeriodService({
        ledger: new PeriodLedger(database),
        clock: { ...systemClock, now: () => new Date('2027-01-05T00:00:00Z') },
        timeZone: 'UTC',
      });
    });

    const october = { month: '2026-10', reason: 'the books' };
    const close = () => service.close(october, ada);
    const sentAt = (time: string) => database.execute(`update millrace.calls set reserved_at = '${time}'`);
    /** Everything that waits has arrived. */
    async function exportAll(): Promise<void> {
      const exports = new ExportLedger(database);
      for (const target of exportTargets) {
        const batch = await exports.bind(newId(new Date()), target, 1000);
        if (batch !== undefined) await exports.markExported(batch.id);
      }
    }
    /** A call of October that is exported. */
    async function settledInOctober(time = lateInOctober): Promise<string> {
      const id = await settleCall(database, book('1'), call);
      await sentAt(time);
      await exportAll();
      return id;
    }
    const range = { from: '2026-10-01', to: '2026-11-30' };
    /** Ids of calls begin with their time; these are of today. */
    async function repriceOctober(input: string): Promise<void> {
      await database.execute(
        `update millrace.calls set id = overlay(id::text placing '01a1944c-70c0' from 1 for 13)::uuid`,
      );
      await repriceAll(database, book(input), range);
    }
    const times = async () =>
      (await recordsOf(database)).map(({ ts, corrected_period: period }) => [String(ts).slice(0, 7), period]);
    const thisMonth = new Date().toISOString().slice(0, 7);

    it('book what is learnt of their calls in the present, and name the period', async () => {
      await settledInOctober();
      await close();
      await repriceOctober('2');
      expect(await times()).toEqual([[thisMonth, '2026-10']]);
      expect(await recordsOf(database)).toMatchObject([{ cost_usd: '1', cost_uncached_input: '1' }]);
    });

    it('book it at the time of the call while they are open, and again when they are opened', async () => {
      await settledInOctober();
      await repriceOctober('2');
      expect(await times()).toEqual([['2026-10', undefined]]);
      await exportAll();
      await close();
      await service.reopen({ month: '2026-10', reason: 'a mistake' }, ada);
      await repriceOctober('3');
      expect(await times()).toEqual([['2026-10', undefined]]);
    });

    it('book late settlements in the present, too', async () => {
      const id = newId(new Date());
      const origin = { team: 'blue', customer: 'acme', feature: 'search' };
      await harness.calls.reserve(someReservation({ id, message: undefined, origin }));
      const line = `{"record_id":"${id}","record_kind":"call","call_id":"${id}","ts":"2026-10-31 23:30:00.000","cost_usd":"0"}`;
      await harness.calls.abandon([{ id, line }]);
      await sentAt(lateInOctober);
      await exportAll();
      await close();
      const correction = `{"record_id":"${id}","record_kind":"correction","call_id":"${id}","ts":"2026-10-31 23:30:00.000","item":"\\"ts\\":\\"2026-10-01\\"","cost_usd":"2"}`;
      expect(await harness.calls.settleLate(someSettlement({ id, costUsd: usd('2') }), [correction])).toBe(
        true,
      );
      expect(await times()).toEqual([[thisMonth, '2026-10']]);
      expect(await recordsOf(database)).toMatchObject([{ item: '"ts":"2026-10-01"', cost_usd: '2' }]);
    });

    it('are those of their time zone', async () => {
      await settledInOctober();
      await service.close({ ...october, timeZone: 'Europe/Berlin' }, ada);
      await repriceOctober('2');
      expect(await times()).toEqual([['2026-10', undefined]]);
    });

    it('are not closed while calls of them are under way or records wait', async () => {
      const id = newId(new Date());
      const origin = { team: 'blue', customer: 'acme', feature: 'search' };
      await harness.calls.reserve(someReservation({ id, message: undefined, origin }));
      await sentAt(lateInOctober);
      const refused = { code: 'MILLRACE_PERIOD_NOT_COMPLETE', retryable: true };
      expect(await failureOf(close())).toMatchObject(refused);
      await harness.calls.settle(someSettlement({ id }));
      expect(await failureOf(close())).toMatchObject(refused);
      await exportAll();
      await database.execute(
        `insert into millrace.outbox (target, line) values ('message_outcomes', '{"message_id":"x","ts":"2026-10-02 00:00:00.000"}')`,
      );
      expect(await failureOf(close())).toMatchObject(refused);
      await exportAll();
      expect(await close()).toMatchObject({ month: '2026-10', timeZone: 'UTC', closedBy: 'ada' });
    });

    it('are closed after whoever is writing, and whoever writes afterwards sees them closed', async () => {
      const id = await settledInOctober();
      const line = `{"record_id":"${id}","record_kind":"correction","call_id":"${id}","ts":"2026-10-31 23:30:00.000"}`;
      const write = {
        name: 'test.write',
        text: `insert into millrace.outbox (target, line) values ('usage', $1)`,
      };
      const [closed] = await Promise.allSettled([
        close(),
        ...Array.from({ length: 8 }, () => database.query(write, [line])),
      ]);
      const ofOctober = (await times()).filter(([month]) => month === '2026-10');
      // Either a record of October was there before, and the period is open; or all of them are booked in the present.
      expect([closed.status, ofOctober.length > 0]).toEqual(
        closed.status === 'fulfilled' ? ['fulfilled', false] : ['rejected', true],
      );
    });

    it('are closed once, in one time zone, when they are over, by operators without a team', async () => {
      const first = await close();
      expect(await close()).toEqual(first);
      const invalid = { code: 'MILLRACE_REQUEST_INVALID' };
      expect(await failureOf(service.close({ ...october, timeZone: 'Asia/Tokyo' }, ada))).toMatchObject(
        invalid,
      );
      expect(await failureOf(service.close({ ...october, month: '2027-01' }, ada))).toMatchObject(invalid);
      expect(await failureOf(service.close(october, { ...ada, team: 'blue' }))).toMatchObject({
        code: 'MILLRACE_FORBIDDEN',
      });
      expect(await failureOf(service.reopen({ month: '2026-09', reason: 'x' }, ada))).toMatchObject({
        code: 'MILLRACE_NOT_FOUND',
      });
      await service.reopen({ month: '2026-10', reason: 'a mistake' }, ada);
      await close();
      expect((await service.list({})).periods.map(({ reopened }) => reopened?.reason)).toEqual([
        'a mistake',
        undefined,
      ]);
      const { rows } = await database.query<{ action: string; target: string }>({
        name: 'test.audit',
        text: 'select action, target from millrace.operator_actions order by at, id',
      });
      expect(rows.map(({ action }) => action)).toEqual(['periods.close', 'periods.reopen', 'periods.close']);
      expect(rows[0]?.target).toBe('period 2026-10');
    });
  });
}
