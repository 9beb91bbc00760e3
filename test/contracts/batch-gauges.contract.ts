import { beforeEach, describe, expect, it } from 'vitest';
import { batchMetrics } from '../../src/capabilities/batches/batch-metrics.ts';
import { BatchGauges } from '../../src/capabilities/batches/report/batch-gauges.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { bareEngineCatalogue } from '../../src/engine/metrics/engine-metrics.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { emptyTables } from '../support/empty-tables.ts';
import { reportedTables, writeReportedBatch } from '../support/reported-batch.ts';

/** What is shown of batches at a scrape, on whichever database. */
export function batchGaugesContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`gauges of batches on ${name}`, () => {
    let database: SqlDatabase;

    beforeEach(async () => {
      database = await open();
      await emptyTables(database, [...reportedTables, 'millrace.provider_batches']);
    });

    /** The value of a series, as it is scraped now. */
    const shown = async (): Promise<(series: string) => number> => {
      const metrics = createMetrics({ ...bareEngineCatalogue, ...batchMetrics });
      await new BatchGauges(database, metrics).show();
      const { body } = await metrics.render();
      return (series) => {
        const line = body.split('\n').find((one) => one.startsWith(`millrace_${series} `));
        return Number(line?.split(' ').at(-1));
      };
    };
    const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
    const hour = { startedAt: ago(60), createdAt: ago(61) };

    it('count batches, items and chunks of what is open, and nothing that is over', async () => {
      await writeReportedBatch(database, { name: 'over', items: [{ id: '1' }] });
      await writeReportedBatch(database, {
        name: 'running',
        state: 'running',
        ...hour,
        items: [
          { id: '1' },
          { id: '2', state: 'failed' },
          { id: '3', state: 'running' },
          { id: '4', state: 'waiting' },
        ],
      });
      await writeReportedBatch(database, {
        name: 'halted',
        state: 'halted',
        ...hour,
        startedAt: ago(120),
        items: [{ id: '1', state: 'skipped' }],
      });
      await writeReportedBatch(database, { name: 'new', state: 'receiving', startedAt: null, items: [] });
      await database.execute(`update millrace.batch_chunks set state = 'failed' where batch_id = (select id from millrace.batches where name = 'halted');
        update millrace.batch_chunks set ended = 3 where batch_id = (select id from millrace.batches where name = 'running')`);
      const value = await shown();
      for (const [state, count] of Object.entries({
        receiving: 1,
        running: 1,
        paused: 0,
        halted: 1,
        cancelling: 0,
      }))
        expect(value(`batches{state="${state}"}`), state).toBe(count);
      for (const [state, count] of Object.entries({
        waiting: 1,
        running: 1,
        succeeded: 1,
        failed: 1,
        expired: 0,
        skipped: 1,
      }))
        expect(value(`batch_items{state="${state}"}`), state).toBe(count);
      for (const [state, count] of Object.entries({ waiting: 0, running: 1, failed: 1 }))
        expect(value(`batch_chunks{state="${state}"}`), state).toBe(count);
      expect(value('batch_oldest_open_seconds')).toBeGreaterThanOrEqual(7200);
    });

    it('are 0 where there is nothing', async () => {
      const value = await shown();
      expect(value('batches{state="running"}')).toBe(0);
      expect(value('batch_items{state="waiting"}')).toBe(0);
      expect(value('batch_oldest_open_seconds')).toBe(0);
      expect(value('batch_quiet_seconds')).toBe(0);
      expect(value('batches_deadline_at_risk')).toBe(0);
      expect(value('provider_batch_oldest_open_seconds')).toBe(0);
    });

    it('tell batches that end too late at the rate of before', async () => {
      const done = (count: number, of: number) =>
        Array.from({ length: of }, (_, n) => ({
          id: `${n}`,
          state: n < count ? ('succeeded' as const) : ('waiting' as const),
          hasNoMessage: true,
        }));
      const write = (
        batch: string,
        minutesLeft: number,
        items: ReturnType<typeof done>,
        state: 'running' | 'paused' = 'running',
      ) => writeReportedBatch(database, { name: batch, state, ...hour, deadline: ago(-minutesLeft), items });
      // Half is done after an hour: another hour is needed.
      await write('in time', 70, done(5, 10));
      await write('late', 50, done(5, 10));
      await write('late, and paused by somebody', 50, done(5, 10), 'paused');
      await write('nothing yet, with more than half of its time left', 70, done(0, 10));
      await write('nothing yet, with less', 50, done(0, 10));
      await write('over its deadline', -1, done(5, 10));
      await writeReportedBatch(database, {
        name: 'without a deadline',
        state: 'running',
        ...hour,
        items: done(1, 10),
      });
      expect((await shown())('batches_deadline_at_risk')).toBe(3);
    });

    describe('of a batch in which nothing moves', () => {
      const item = { id: '1', state: 'running' as const };
      const write = () =>
        writeReportedBatch(database, {
          name: 'quiet',
          state: 'running',
          ...hour,
          items: [item, { id: '2', state: 'waiting' }],
        });
      const quiet = async () => (await shown())('batch_quiet_seconds');

      it('say for how long', async () => {
        await write();
        expect(await quiet()).toBeGreaterThanOrEqual(3600);
      });

      it('begin anew when an item ends, and when it is resumed', async () => {
        await write();
        await database.execute(`update millrace.batches set succeeded = succeeded + 1 where name = 'quiet'`);
        expect(await quiet()).toBeLessThan(600);
        await database.execute(
          `update millrace.batches set progressed_at = now() - interval '1 hour', state = 'paused' where name = 'quiet'`,
        );
        expect(await quiet()).toBe(0);
        await database.execute(`update millrace.batches set state = 'running' where name = 'quiet'`);
        expect(await quiet()).toBeLessThan(600);
      });

      it.each([
        ['is parked', `update millrace.messages set parked_for = 'budget:monthly'`, true],
        [
          'waits for its next attempt',
          `update millrace.messages set available_at = now() + interval '1 hour'`,
          true,
        ],
        ['is behind another of its key', `update millrace.messages set parked_for = 'order'`, false],
        ['is under way', `update millrace.messages set state = 'leased'`, false],
      ])('are 0 when its message %s for a reason that is known', async (_, change, isKnown) => {
        await write();
        await database.execute(change);
        if (isKnown) expect(await quiet()).toBe(0);
        else expect(await quiet()).toBeGreaterThanOrEqual(3600);
      });

      it('are 0 when a chunk is to be tried again later', async () => {
        const id = await write();
        await database.execute(`insert into millrace.batch_chunks (batch_id, chunk, state, first_position, items, next_at, cause)
          values ('${id}', 2, 'waiting', 3, 1, now() + interval '10 minutes', '{}')`);
        expect(await quiet()).toBe(0);
      });
    });

    it('count batches at providers that are not closed, with the age of those that go on by themselves', async () => {
      await database.execute(`insert into millrace.provider_batches (id, account, model, endpoint, state, requests, bytes, estimated_tokens, next_at, planned_at)
        select gen_random_uuid(), 'openai', 'gpt-5-mini', '/v1/chat/completions', s.state, 1, 1, 1, now(), now() - s.hours * interval '1 hour'
        from (values ('running', 1), ('running', 2), ('unresolved', 5), ('closed', 9)) s(state, hours)`);
      const value = await shown();
      expect(value('provider_batches{state="running"}')).toBe(2);
      expect(value('provider_batches{state="unresolved"}')).toBe(1);
      expect(value('provider_batches{state="planned"}')).toBe(0);
      expect(value('provider_batch_oldest_open_seconds')).toBeGreaterThanOrEqual(7200);
      expect(value('provider_batch_oldest_open_seconds')).toBeLessThan(10_000);
      expect(value('provider_batch_hindered_seconds')).toBe(0);
      await database.execute(
        `update millrace.provider_batches set hindered_since = now() - interval '20 minutes' where state = 'running'`,
      );
      const later = await shown();
      expect(later('provider_batch_hindered_seconds')).toBeGreaterThanOrEqual(1200);
      expect(later('provider_batch_hindered_seconds')).toBeLessThan(5000);
    });
  });
}
