import { beforeEach, describe, expect, it } from 'vitest';
import { BatchReports } from '../../src/capabilities/batches/report/batch-reports.ts';
import { ChunkLedger } from '../../src/capabilities/batches/run/chunk-ledger.ts';
import { EndLedger } from '../../src/capabilities/batches/run/end-ledger.ts';
import { composeEnd, type FailedPart } from '../../src/capabilities/batches/run/item-end.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { addUsd, formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { BatchFixture, type Fate } from '../support/batch-fixture.ts';

const good = (n: number): Fate => ({ kind: 'says', data: { n }, costUsd: '0.01' });
const broken: Fate = { kind: 'dies', code: 'MILLRACE_STAGE_FAILED', costUsd: '0.002' };
const limited: Fate = { kind: 'dies', code: 'MILLRACE_MODEL_RATE_LIMITED' };
const ann = { actor: 'ann' };
/** So that nothing halts by itself. */
const noTripwire = { tripwire: { share: 100 } };

/** What is promised of the money and the counts of batches, whichever database the ledger is on. */
export function batchMoneyContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`the money of batches on ${name}`, () => {
    let fixture: BatchFixture;
    beforeEach(async () => {
      fixture = await BatchFixture.begin(await open());
    });

    /** Runs to the end with a worker that ends items so. */
    async function finish(fateOf: (n: number) => Fate = good): Promise<void> {
      await fixture.turns();
      while ((await fixture.work(fateOf)) > 0) await fixture.turns();
    }

    /** Every billed call is used by the end of an item, or waste. */
    async function expectAccounted(id: Uuid): Promise<void> {
      const { costUsd } = await fixture.batch(id);
      const { totalUsd, waste } = await fixture.spend();
      const wasted = sumUsd(Object.values(waste).map((amount) => usd(amount)));
      expect(formatUsd(addUsd(usd(costUsd), wasted))).toBe(totalUsd);
    }

    it.each([false, true])(
      'counts what calls cost that are settled after their batch was cancelled, put off: %s',
      async (isDeferred) => {
        const id = await fixture.submit({ items: 3 });
        await fixture.turns();
        const callId = newId(new Date());
        await fixture.work((n) => (n === 2 ? { kind: 'asks', callId, isDeferred } : good(n)));
        await fixture.service.cancel(id, 'wrong input', ann);
        await fixture.turns();
        expect(await fixture.messageStates()).toEqual({ cancelled: 1, completed: 2 });
        expect(await fixture.itemStates(id)).toEqual(['succeeded', 'running', 'succeeded']);
        expect(await fixture.batch(id)).toMatchObject({ state: 'cancelling' });
        await fixture.answer(callId, { costUsd: usd('0.000000000000000007') });
        await fixture.turns();
        expect(await fixture.batch(id)).toMatchObject({
          state: 'cancelled',
          costUsd: '0.020000000000000007',
        });
        expect((await fixture.spend()).totalUsd).toBe('0.020000000000000007');
        expect((await fixture.output(id)).split('\n')[1]).toContain('"costUsd":"0.000000000000000007"');
      },
    );

    it('ends an item whose call is never settled when the call is given up', async () => {
      const id = await fixture.submit({ items: 1 });
      await fixture.turns();
      const callId = newId(new Date());
      await fixture.work(() => ({ kind: 'asks', callId }));
      await fixture.service.cancel(id, 'wrong input', ann);
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({ state: 'cancelling' });
      await fixture.answer(callId, {
        state: 'unsettled',
        outcome: 'unsettled',
        settlement: 'unsettled',
        costUsd: undefined,
        upperBoundUsd: usd('0.5'),
        wasteReason: 'aborted',
        answer: undefined,
      });
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({ state: 'cancelled', costUsd: '0' });
    });

    it('ends a cancelled batch behind others whose calls are open', async () => {
      const waiting: Uuid[] = [];
      for (let n = 0; n < 5; n += 1) waiting.push(await fixture.submit({ name: `open-${n}`, items: 1 }));
      await fixture.turns();
      await fixture.work(() => ({ kind: 'asks', callId: newId(new Date()) }));
      for (const id of waiting) await fixture.service.cancel(id, 'r', ann);
      await fixture.turns();
      const free: Uuid[] = [];
      for (let n = 0; n < 5; n += 1) free.push(await fixture.submit({ name: `free-${n}`, items: 1 }));
      for (const id of free) await fixture.service.cancel(id, 'r', ann);
      // Each turn looks at some of them.
      for (let turn = 0; turn < 6; turn += 1) await fixture.turns();
      for (const id of free) expect(await fixture.batch(id)).toMatchObject({ state: 'cancelled' });
      for (const id of waiting) expect(await fixture.batch(id)).toMatchObject({ state: 'cancelling' });
    });

    it('makes waste of the answers of a cancelled run when its items are run anew', async () => {
      const id = await fixture.submit({ items: 3, settings: noTripwire });
      await fixture.turns();
      const callId = newId(new Date());
      await fixture.work((n) => (n === 2 ? { kind: 'asks', callId } : n === 3 ? broken : good(n)));
      await fixture.service.cancel(id, 'wrong input', ann);
      await fixture.answer(callId, { costUsd: usd('0.05') });
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({ state: 'cancelled', costUsd: '0.062' });
      await expectAccounted(id);
      await fixture.service.retry(id, 'it was right', ann);
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded' });
      // That of the cancelled message, and that of the one that died and asked anew.
      expect((await fixture.spend()).waste).toEqual({ retried: '0.052' });
      await expectAccounted(id);
      const { rows } = await fixture.database.query<{ readonly line: string }>({
        name: 'test.lines',
        text: `select line from millrace.outbox where target = 'usage' and line like '%"call_id":"${callId}"%' order by seq`,
      });
      const lines = rows.map(({ line }) => JSON.parse(line) as Readonly<Record<string, unknown>>);
      expect(lines.map((line) => [line['record_kind'], line['cost_usd'], line['waste_reason']])).toEqual([
        ['call', '0.05', undefined],
        ['correction', '-0.05', undefined],
        ['correction', '0.05', 'retried'],
      ]);
      expect(lines[2]).toMatchObject({ team: 'blue', customer: 'acme', batch: 'night', item: 'item-2' });
    });

    it('reports what a cancelled run cost once, while its items wait, when they are cancelled again, and when they are erased', async () => {
      const reports = new BatchReports({ database: fixture.database, findPrice: () => undefined });
      const expectReported = async (id: Uuid): Promise<void> => {
        const { cost } = await reports.read({ kind: 'id', id }, {});
        expect(cost.totalUsd).toBe((await fixture.spend()).totalUsd);
      };
      const id = await fixture.submit({ items: 3, settings: noTripwire });
      await fixture.turns();
      const callId = newId(new Date());
      await fixture.work((n) => (n === 2 ? { kind: 'asks', callId } : good(n)));
      await fixture.service.cancel(id, 'wrong input', ann);
      await fixture.answer(callId, { costUsd: usd('0.05') });
      await fixture.turns();
      await expectReported(id);
      await fixture.service.retry(id, 'it was right', ann);
      await expectReported(id);
      await fixture.service.cancel(id, 'it was wrong', ann);
      await fixture.turns();
      await expectReported(id);
      await fixture.service.retry(id, 'it was right', ann);
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded' });
      await expectReported(id);
      // An erasure leaves nothing in an item from which its messages could be told.
      await fixture.database.execute(
        `update millrace.batch_items set item_id = 'millrace:erased:' || position`,
      );
      await expectReported(id);
    });

    it('makes waste of an answer whose place another one took', async () => {
      const id = await fixture.submit({ items: 1 });
      await fixture.turns();
      const callId = newId(new Date());
      await fixture.work(() => ({ kind: 'asks', callId }));
      await fixture.answer(callId, { costUsd: usd('0.03') });
      await fixture.database.execute(
        `update millrace.messages set state = 'pending', lease_until = null, leased_by = null where state = 'leased'`,
      );
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded', costUsd: '0.01' });
      expect(await fixture.spend()).toEqual({ totalUsd: '0.04', waste: { retried: '0.03' } });
    });

    it('ends no item for what it died of in an attempt before the one that is being begun', async () => {
      const id = await fixture.submit({ items: 2 });
      await fixture.turns();
      await fixture.work(() => limited);
      await fixture.turns();
      await fixture.passTime();
      // As a process does that dies right after this.
      await new ChunkLedger(fixture.database).claim({ chunks: 9, items: 9, batches: 9, begun: 9, looks: 9 });
      await fixture.turn();
      expect(await fixture.messageStates()).toEqual({ pending: 2 });
      // Whoever has seen the end of the first attempt is late.
      const ends = new EndLedger(fixture.database, createMetrics(metricCatalogue));
      const { items } = await fixture.service.items(id, {}, { after: 0, limit: 9, maySeeData: false });
      const late = items.map(({ id: itemId, position, messageId }) => ({
        item: { batchId: id, chunk: 1, position, itemId, messageId, bytes: 0 },
        was: 'running' as const,
        begun: 1,
        end: composeEnd(
          { id: itemId, position },
          { dead: [deadOf('MILLRACE_STAGE_FAILED')], cancelled: 0, outputs: [], results: [], answers: [] },
          { mayRetry: false, cancelledAs: 'cancelled' },
        ),
      }));
      expect(await ends.record(late)).toEqual([]);
      await finish();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        ended: { succeeded: 2, failed: 0 },
      });
    });

    it('ends no item as never admitted while a process admits it', async () => {
      const id = await fixture.submit({ items: 2 });
      let seen: readonly string[] = [];
      const { runner } = fixture.process(fixture.database, {
        check: async () => {
          if (seen.length > 0) return undefined;
          seen = ['now'];
          await fixture.service.cancel(id, 'wrong input', ann);
          await fixture.turn();
          seen = await fixture.itemStates(id);
          return undefined;
        },
      });
      await fixture.turns(runner);
      expect(seen).toEqual(['running', 'running']);
      await fixture.turns();
      expect(await fixture.messageStates()).toEqual({ cancelled: 2 });
      expect(await fixture.batch(id)).toMatchObject({ state: 'cancelled', ended: { cancelled: 2 } });
    });

    it('adds up when a batch is cancelled and run again while two processes run it', async () => {
      const id = await fixture.submit({ items: 40, chunk: 4, settings: noTripwire });
      const runners = [fixture.process(fixture.database).runner, fixture.process(fixture.database).runner];
      const beside = async (...operations: readonly (() => Promise<unknown>)[]): Promise<void> => {
        // A conflict is one turn that failed, or an operation that was too late.
        await Promise.allSettled([
          ...runners.map((runner) => runner.turn()),
          ...operations.map((one) => one()),
        ]);
      };
      const fateOf = (n: number): Fate => (n % 5 === 0 ? broken : good(n));
      const work = (): Promise<number> => fixture.work(fateOf);
      await beside();
      await beside(work);
      await beside(work, () => fixture.service.cancel(id, 'wrong input', ann));
      for (let round = 0; round < 4; round += 1) await beside(work);
      await finish(fateOf);
      await beside(() => fixture.service.retry(id, 'it was right', ann));
      await beside(work, () => fixture.service.pause(id, 'look', ann));
      await beside(work, () => fixture.service.retry(id, 'again', ann));
      await fixture.service.resume(id, 'on', ann).catch(() => undefined);
      for (let round = 0; round < 4; round += 1) await beside(work);
      await finish(fateOf);
      const { ended, endedAt } = await fixture.batch(id);
      expect(endedAt).toBeInstanceOf(Date);
      expect(Object.values(ended).reduce((sum, items) => sum + items, 0)).toBe(40);
      const { rows } = await fixture.database.query({
        name: 'test.counts',
        text: `select (select count(*) filter (where state = 'failed')::int from millrace.batch_items) as items,
           (select coalesce(sum(failed), 0)::int from millrace.batch_chunks) as chunks,
           (select coalesce(sum(items), 0)::int from millrace.batch_failures) as reasons`,
      });
      expect(rows).toEqual([{ items: ended.failed, chunks: ended.failed, reasons: ended.failed }]);
      await expectAccounted(id);
    });

    it('keeps every count when items end while others are run again', async () => {
      const id = await fixture.submit({ items: 6, settings: noTripwire });
      await fixture.turns();
      await fixture.work((n) => (n <= 2 ? broken : { kind: 'stays' }));
      await fixture.turns();
      await fixture.service.pause(id, 'look', ann);
      const { database } = fixture;
      const { rows } = await database.query<{ readonly position: number; readonly message_id: Uuid }>({
        name: 'test.places',
        text: `select position, message_id from millrace.batch_items where state = 'running' order by position limit 2`,
      });
      // Not within the transaction.
      const begin = Promise.withResolvers<void>();
      const retry = begin.promise.then(() => fixture.service.retry(id, 'again', ann));
      await database.transaction(async (transaction) => {
        await transaction.execute(`select from millrace.batches for update`);
        begin.resolve();
        // It has seen what is, and waits for the row.
        while (database.kind === 'postgres' && !(await hasWaiter(transaction)));
        const ends = new EndLedger(
          { ...database, query: (...asked) => transaction.query(...asked) },
          createMetrics(metricCatalogue),
        );
        const codes = ['MILLRACE_STAGE_FAILED', 'MILLRACE_OUTPUT_INVALID'];
        await ends.record(
          rows.map(({ position, message_id: messageId }, index) => ({
            item: { batchId: id, chunk: 1, position, itemId: `item-${position}`, messageId, bytes: 0 },
            was: 'running',
            begun: 1,
            end: composeEnd(
              { id: `item-${position}`, position },
              { dead: [deadOf(codes[index] ?? '')], cancelled: 0, outputs: [], results: [], answers: [] },
              { mayRetry: false, cancelledAs: 'cancelled' },
            ),
          })),
        );
      });
      await retry;
      const failed = async (): Promise<number> => (await fixture.batch(id)).ended.failed;
      const reasons = async (): Promise<Readonly<Record<string, number>>> => {
        const found = await database.query<{ readonly code: string; readonly items: number }>({
          name: 'test.reasons',
          text: 'select code, items from millrace.batch_failures where items <> 0 order by code',
        });
        return Object.fromEntries(found.rows.map(({ code, items }) => [code, items]));
      };
      // On one connection nothing comes between: then all four are run again.
      const isBeside = database.kind === 'postgres';
      expect(await failed()).toBe(isBeside ? 2 : 0);
      expect(await reasons()).toEqual(
        isBeside ? { MILLRACE_OUTPUT_INVALID: 1, MILLRACE_STAGE_FAILED: 1 } : {},
      );
      const { chunks } = await fixture.service.chunks(id, {}, { limit: 10, after: 0 });
      expect(chunks).toMatchObject([isBeside ? { ended: 2, failed: 2 } : { ended: 0, failed: 0 }]);
    });
  });
}

function deadOf(code: string): FailedPart {
  return { hops: 0, stage: 'sort', code, message: 'm', attempts: 1 };
}

async function hasWaiter(executor: Pick<SqlDatabase, 'query'>): Promise<boolean> {
  const { rows } = await executor.query<{ readonly waits: boolean }>({
    name: 'test.waiter',
    text: `select exists (select from pg_locks where not granted) as waits`,
  });
  return rows[0]?.waits ?? false;
}
