import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import { LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';
import { MessageCancellations } from '../../src/engine/ledger/message-cancellations.ts';
import { StartTimes } from '../../src/engine/ledger/start-times.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import { Waits } from '../../src/engine/ledger/waits.ts';
import type { Start } from '../../src/messages/start-time.ts';
import { LedgerHarness, leaseMs, someAdmission } from '../support/ledger-fixture.ts';

const hourMs = 3_600_000;

/** Messages that start at a later time, on whichever database. */
export function messageStartsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`messages that start later on ${name}`, () => {
    let harness: LedgerHarness;
    let starts: StartTimes;
    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      starts = new StartTimes(harness.database);
    });

    async function admit(start: Start | undefined, orderKey?: string): Promise<string> {
      const id = newId(new Date());
      const { outcomes } = await harness.ledger.admitAndLease([
        { ...someAdmission({ id }), start, orderKey, leaseMs: start === undefined ? undefined : leaseMs },
      ]);
      expect(outcomes).toEqual(['admitted']);
      return id;
    }
    const claim = async (isOrdered = false): Promise<string> => {
      const outcome = await harness.ledger.claim({ stage: 'first', leaseMs, isOrdered });
      return outcome.kind === 'leased' ? outcome.message.envelope.id : outcome.kind;
    };
    /** As if so much time had passed. */
    const pass = (ms: number) =>
      harness.database.execute(
        `update millrace.messages set start_at = start_at - ${ms} * interval '1 millisecond'`,
      );
    const inAnHour = (): Start => ({ kind: 'at', at: new Date(Date.now() + hourMs) });

    it('waits out of sight of claims and sweeps, and is taken when its time has come', async () => {
      const id = await admit(inAnHour());
      const now = await admit(undefined);
      expect(await claim()).toBe(now);
      expect(await claim()).toBe('none');
      expect(await new SweepLedger(harness.database).sweep(100)).toEqual([]);
      expect(await starts.startDue(100)).toEqual([]);
      await pass(hourMs - 10_000);
      expect(await starts.startDue(100)).toEqual([]);
      await pass(11_000);
      expect(await starts.startDue(100)).toEqual([{ id, stage: 'first' }]);
      expect(await starts.startDue(100)).toEqual([]);
      expect(await claim()).toBe(id);
    });

    it('is due since its time, so that its wait is counted from then', async () => {
      await admit(inAnHour());
      await pass(hourMs + 60_000);
      await starts.startDue(100);
      const outcome = await harness.ledger.claim({ stage: 'first', leaseMs });
      if (outcome.kind !== 'leased') throw new Error(outcome.kind);
      const waitedMs = Date.now() - outcome.message.availableAt.getTime();
      expect(waitedMs).toBeGreaterThan(59_000);
      expect(waitedMs).toBeLessThan(120_000);
    });

    it('starts a delay after it was written, by the clock of the ledger', async () => {
      const id = await admit({ kind: 'after', delayMs: 60_000 });
      const { rows } = await harness.database.query<{ ms: number }>({
        name: 'test.delay',
        text: `select extract(epoch from start_at - created_at)::float8 * 1000 as ms from millrace.messages`,
      });
      expect(rows[0]?.ms).toBeGreaterThan(59_900);
      expect(rows[0]?.ms).toBeLessThan(60_100);
      await pass(61_000);
      expect(await starts.startDue(100)).toMatchObject([{ id }]);
    });

    it('begins at once when the time that was asked for has passed', async () => {
      const id = await admit({ kind: 'at', at: new Date(Date.now() - 1000) });
      // A lease was asked for as it was written, which only one that starts at once is given.
      expect(await harness.stateOf(id)).toMatchObject({ state: 'leased' });
    });

    it('is no backlog: it is counted apart, however far ahead, and the counts stay few', async () => {
      const { database } = harness;
      for (let n = 0; n < 20; n += 1) await admit({ kind: 'after', delayMs: hourMs * (n + 1) });
      const counts = new LedgerCounts(database);
      while (await counts.sumUp(1000));
      expect(await counts.read()).toMatchObject([{ stage: 'first', kind: 'scheduled', count: 20 }]);
      expect(await counts.listWaitingStages(['first'])).toEqual([]);
      const { rows } = await database.query<{ rows: number }>({
        name: 'test.count_rows',
        text: `select count(distinct due)::int as rows from millrace.ledger_counts where kind = 'scheduled'`,
      });
      // By when they were written, not by when they start.
      expect(rows[0]?.rows).toBeLessThan(10);
      await pass(hourMs * 3 + 1000);
      expect(await starts.startDue(100)).toHaveLength(3);
      const kinds = Object.groupBy(await counts.read(), ({ kind }) => kind);
      expect(kinds.scheduled).toMatchObject([{ count: 17 }]);
      expect(kinds.ready?.reduce((sum, { count }) => sum + count, 0)).toBe(3);
    });

    it('says what it waits for, and until when', async () => {
      await admit({ kind: 'after', delayMs: 2 * hourMs });
      await admit({ kind: 'after', delayMs: hourMs });
      const [waiting, ...others] = await new Waits(harness.database).list();
      expect(others).toEqual([]);
      expect(waiting).toMatchObject({ reason: 'start', messages: 2, stages: ['first'] });
      const aheadMs = (waiting?.until?.getTime() ?? 0) - Date.now();
      expect(aheadMs).toBeGreaterThan(hourMs - 60_000);
      expect(aheadMs).toBeLessThan(hourMs + 60_000);
    });

    it('holds up no message of its key until it starts, and then goes behind them', async () => {
      const later = await admit(inAnHour(), 'key');
      const first = await admit(undefined, 'key');
      expect(await claim(true)).toBe(first);
      await harness.ledger.finish({
        id: first,
        fencingToken: 1,
        result: undefined,
        emissions: [],
        durationMs: 1,
      });
      const second = await admit(undefined, 'key');
      await pass(hourMs + 1000);
      await starts.startDue(100);
      expect(await claim(true)).toBe(second);
      // Due longer, and yet behind the second, which was there when it started.
      expect(await claim(true)).not.toBe(later);
      await harness.ledger.finish({
        id: second,
        fencingToken: 1,
        result: undefined,
        emissions: [],
        durationMs: 1,
      });
      expect(await claim(true)).toBe(later);
    });

    it('is cancelled before its time, and then never starts', async () => {
      const id = await admit(inAnHour());
      const cancellations = new MessageCancellations(harness.database);
      const operation = { id: newId(new Date()), actor: 'ann', target: id, detail: {}, reason: 'not wanted' };
      await cancellations.cancel([{ id, fencingToken: 0, outcomeLine: '{}' }], operation, '{}');
      expect(await harness.stateOf(id)).toMatchObject({ state: 'cancelled' });
      await pass(hourMs + 1000);
      expect(await starts.startDue(100)).toEqual([]);
    });

    it('may be emitted for later; its parent ends at once, and an output knows no time', async () => {
      const parent = await harness.admitted();
      const { fencingToken } = await harness.leased(parent);
      const [emitted, output] = [newId(new Date()), newId(new Date())];
      const later: Start = { kind: 'after', delayMs: hourMs };
      await harness.ledger.finish({
        id: parent,
        fencingToken,
        result: undefined,
        durationMs: 1,
        emissions: [
          { ...harness.emission(emitted), start: later, leaseMs },
          { ...harness.emission(output, ''), start: later },
        ],
      });
      expect(await harness.stateOf(parent)).toMatchObject({ state: 'completed' });
      expect(await harness.stateOf(output)).toMatchObject({ state: 'completed' });
      expect((await harness.ledger.claim({ stage: 'second', leaseMs })).kind).toBe('none');
      await pass(hourMs + 1000);
      expect(await starts.startDue(100)).toEqual([{ id: emitted, stage: 'second' }]);
    });

    it('starts the longest due first, a part at a time, once over several processes', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 12; n += 1) ids.push(await admit({ kind: 'after', delayMs: hourMs + n * 1000 }));
      await pass(2 * hourMs);
      expect((await starts.startDue(2)).map(({ id }) => id).toSorted()).toEqual(ids.slice(0, 2).toSorted());
      const found = await Promise.all([1, 2, 3, 4].map(() => starts.startDue(5)));
      const started = found.flat().map(({ id }) => id);
      expect(new Set(started).size).toBe(started.length);
      while ((await starts.startDue(5)).length > 0);
      const { rows } = await harness.database.query<{ state: string }>({
        name: 'test.states',
        text: `select state from millrace.messages where parked_for is null`,
      });
      expect(rows).toHaveLength(12);
    });
  });
}
