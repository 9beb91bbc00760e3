import { gzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import type { BatchInput } from '../../src/capabilities/batches/intake/input/input-records.ts';
import { BatchOperations } from '../../src/capabilities/batches/run/batch-operations.ts';
import { BatchRetention } from '../../src/capabilities/batches/run/batch-retention.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { batchRequest, intakeOver, lines, tickets } from '../support/batch-intake-fixture.ts';

const operator = { actor: 'test' };

/** What is promised of batches that are removed, and of their names. */
export function batchRemovalContract(_: string, open: () => Promise<SqlDatabase>): void {
  describe('batches that are removed', () => {
    let database: SqlDatabase;
    let intake: BatchIntake;
    let retention: BatchRetention;
    beforeAll(async () => {
      database = await open();
      intake = intakeOver(database);
      retention = new BatchRetention(database, { finishedDays: 30 });
    });
    beforeEach(() => database.execute('delete from millrace.batches'));

    const filled = async (
      name: string,
      count = 3,
      more: Readonly<Record<string, unknown>> = {},
    ): Promise<string> => {
      const { batch } = await intake.create(batchRequest(name, more), operator);
      await intake.upload(batch.id, lines(tickets(count)), {});
      return batch.id;
    };
    const count = async (table: 'batches' | 'batch_items'): Promise<number> =>
      (
        await database.query<{ count: number }>(
          { name: `test.count-${table}`, text: `select count(*)::int as count from millrace.${table}` },
          [],
        )
      ).rows[0]?.count ?? 0;
    const countItems = () => count('batch_items');
    const messageIds = async (id: string) =>
      (
        await database.query<{ message_id: string }>(
          {
            name: 'test.ids',
            text: 'select message_id from millrace.batch_items where batch_id = $1 order by position',
          },
          [id],
        )
      ).rows.map((row) => row.message_id);
    const age = (id: string, columns: string, days: number) =>
      database.execute(
        `update millrace.batches set ${columns
          .split(' ')
          .map((column) => `${column} = ${column} - interval '${days} days'`)
          .join(', ')} where id = '${id}'`,
      );
    /** A process that dies when it has said what it does: nothing is removed yet. */
    const breaksOff = (failsAt: string): BatchIntake => {
      const broken: SqlDatabase = Object.create(database, {
        query: {
          value: async (...[statement, parameters]: Parameters<SqlDatabase['query']>) => {
            if (statement.name === failsAt) throw new Error('It died here.');
            return await database.query(statement, parameters);
          },
        },
      }) as SqlDatabase;
      return intakeOver(broken);
    };

    it('are found again by the same request and input, however they are written down, and by no other', async () => {
      const request = batchRequest('known', { settings: { onInvalid: 'skip' } });
      const submitted = async (input: BatchInput, more: object = {}) =>
        await intake.submitted({ ...request, ...more }, input, operator, {
          confirm: () => Promise.resolve(),
        });
      expect(await submitted(lines(tickets(3)))).toBeUndefined();
      const later = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
      const { batch } = await intake.create({ ...request, deadline: later(6) }, operator, { deadlineMs: 5 });
      const other = intake.create({ ...request, deadline: later(7) }, operator, { deadlineMs: 6 });
      await expect(other).rejects.toThrow(/asked for differently: its deadline/);
      const same = await intake.create({ ...request, deadline: later(8) }, operator, { deadlineMs: 5 });
      expect(same).toMatchObject({ isNew: false, batch: { id: batch.id } });
      await intake.upload(batch.id, lines(tickets(2)), {});
      await intake.upload(batch.id, lines(tickets(3)), {});
      await intake.start(batch.id, '', operator);
      const asked = { deadline: later(9) };
      const found = async (input: BatchInput) =>
        await intake.submitted({ ...request, ...asked }, input, operator, {
          deadlineMs: 5,
          confirm: () => Promise.resolve(),
        });
      const zipped = gzipSync(
        tickets(3)
          .map((line) => `${JSON.stringify(line)}\n`)
          .join(''),
      );
      for (const input of [lines(tickets(3), {}, 7), { ...lines(zipped), encoding: 'gzip' as const }])
        expect(await found(input)).toMatchObject({ batch: { id: batch.id }, isSameInput: true });
      for (const input of [
        lines(tickets(2)),
        lines(''),
        lines(tickets(3), { form: 'bare' }),
        { ...lines(tickets(3)), encoding: 'gzip' as const },
      ])
        await expect(found(input)).rejects.toThrow(/has another input/);
      await expect(submitted(lines(tickets(3)), { feature: 'f' })).rejects.toThrow(/differently: feature\./);
      await database.execute('update millrace.batches set input_digest = null');
      expect(await found(lines(tickets(1)))).toMatchObject({ isSameInput: undefined });
    });

    it('leave nothing to a later batch of the same name: its messages are others', async () => {
      const first = await filled('nightly');
      const before = await messageIds(first);
      await database.execute('delete from millrace.batches');
      const second = await filled('nightly');
      expect(second).not.toBe(first);
      const after = await messageIds(second);
      expect(after).toHaveLength(before.length);
      expect(before.filter((id) => after.includes(id))).toEqual([]);
      // The same batch, sent again, has the same messages.
      await intake.upload(second, lines(tickets(3)), {});
      expect(await messageIds(second)).toEqual(after);
    });

    it('are never removed in part and started then', async () => {
      const old = await filled('old', 2100);
      await age(old, 'created_at received_at', 8);
      expect(await retention.prune()).toBe(true);
      expect(await countItems()).toBeGreaterThan(0);
      await expect(intake.start(old, '', operator)).rejects.toMatchObject({ code: 'MILLRACE_BATCH_STATE' });
      while (await retention.prune());
      expect(await countItems()).toBe(0);
      await expect(intake.find(old, {})).rejects.toMatchObject({ code: 'MILLRACE_BATCH_NOT_FOUND' });
    });

    it('are not removed once they are started, however old they are', async () => {
      const old = await filled('begun');
      await age(old, 'created_at received_at', 8);
      await intake.start(old, '', operator);
      expect(await retention.prune()).toBe(false);
      expect(await countItems()).toBe(3);
    });

    it('are those to which nothing was sent, and that nobody changed, for a week', async () => {
      const fresh = await filled('fresh');
      await age(fresh, 'created_at', 30);
      expect(await retention.prune()).toBe(false);
      await age(fresh, 'received_at', 8);
      await intake.upload(fresh, lines(tickets(2)), {});
      expect(await retention.prune()).toBe(false);
      await age(fresh, 'received_at', 8);
      const operations = new BatchOperations(database, systemClock);
      const order = { batchId: fresh, operator, reason: 'later' };
      expect(await operations.change(order, { priority: 2 })).toMatchObject({ priority: 2 });
      expect(await retention.prune()).toBe(false);
      expect(await countItems()).toBe(2);
    });

    it('are run again by nobody when a part of them is gone', async () => {
      const ended = await filled('ended', 2100);
      await intake.start(ended, '', operator);
      await database.execute(`
        update millrace.batch_items set state = 'failed', error_code = 'x', cost_usd = 0;
        update millrace.batches set state = 'failed', failed = 2100, ended_at = clock_timestamp() - interval '40 days'`);
      expect(await retention.prune()).toBe(true);
      const order = { batchId: ended, operator, reason: 'again' };
      expect(await new BatchOperations(database, systemClock).retry(order)).toBeUndefined();
      while (await retention.prune());
      expect(await countItems()).toBe(0);
    });

    it('and were run again meanwhile stay', async () => {
      const ended = await filled('retried');
      await intake.start(ended, '', operator);
      await database.execute(`
        update millrace.batch_items set state = 'failed', error_code = 'x', cost_usd = 0;
        update millrace.batches set state = 'failed', failed = 3, ended_at = clock_timestamp() - interval '40 days'`);
      const order = { batchId: ended, operator, reason: 'again' };
      expect(await new BatchOperations(database, systemClock).retry(order)).toMatchObject({ items: 3 });
      expect(await retention.prune()).toBe(false);
      expect(await countItems()).toBe(3);
    });

    it('free their names, also when who discarded them died midway', async () => {
      for (const place of ['batches.clear_removed', 'batches.remove_cleared']) {
        const first = await filled('dead');
        await expect(breaksOff(place).discard(first, '', operator)).rejects.toThrow('It died here.');
        expect(await intake.find(first, {})).toMatchObject({ state: 'cancelled' });
        const again = await intake.create(batchRequest('dead', { customer: 'other' }), operator);
        expect(again).toMatchObject({ isNew: true, batch: { state: 'receiving', items: 0 } });
        expect(await countItems()).toBe(0);
        await intake.discard(again.batch.id, '', operator);
      }
    });

    it('are removed by the retention, when who discarded them died midway', async () => {
      const first = await filled('left');
      await expect(breaksOff('batches.clear_removed').discard(first, '', operator)).rejects.toThrow();
      while (await retention.prune());
      expect(await count('batches')).toBe(0);
    });
  });
}
