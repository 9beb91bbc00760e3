import { beforeEach, describe, expect, it } from 'vitest';
import { BatchRetention } from '../../src/capabilities/batches/run/batch-retention.ts';
import { eraseBatches } from '../../src/capabilities/erasure/erased-batches.ts';
import { ErasureLedger } from '../../src/capabilities/erasure/erasure-ledger.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { BatchFixture, type Fate } from '../support/batch-fixture.ts';

const good = (n: number): Fate => ({ kind: 'says', data: { n }, costUsd: '0.01' });
const broken: Fate = { kind: 'dies', code: 'MILLRACE_STAGE_FAILED', costUsd: '0.002' };
/** So that nothing halts by itself. */
const noTripwire = { tripwire: { share: 100 } };

/** What operators are promised of batches, whichever database the ledger is on. */
export function batchOperationsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`operations on batches on ${name}`, () => {
    let fixture: BatchFixture;
    beforeEach(async () => {
      fixture = await BatchFixture.begin(await open());
    });

    /** Runs to the end with a worker that ends items so. */
    async function finish(fateOf: (n: number) => Fate = good): Promise<void> {
      await fixture.turns();
      while ((await fixture.work(fateOf)) > 0) await fixture.turns();
    }

    it('begin nothing more while they are paused, and record what was under way', async () => {
      const id = await fixture.submit({ items: 20, settings: { chunk: { inFlight: 1 } } });
      await fixture.turns();
      await fixture.service.pause(id, 'the provider is slow', { actor: 'ann' });
      await fixture.work(good);
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({ state: 'paused', ended: { succeeded: 10 } });
      expect(await fixture.chunkStates(id)).toEqual(['done', 'waiting']);
      await fixture.service.resume(id, 'fast again', { actor: 'ann' });
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded' });
      expect((await fixture.audit()).map(({ action, actor, team }) => [action, actor, team])).toEqual([
        ['batches.pause', 'ann', 'blue'],
        ['batches.resume', 'ann', 'blue'],
      ]);
    });

    it('cancel what is open and what was not begun, keep what has ended, and run anew when asked', async () => {
      const id = await fixture.submit({ items: 30, settings: { chunk: { inFlight: 1 } } });
      await fixture.turns();
      await fixture.work((n) => (n <= 4 ? good(n) : { kind: 'stays' }));
      const cancelling = await fixture.service.cancel(id, 'wrong input', { actor: 'ann' });
      expect(cancelling.state).toBe('cancelling');
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'cancelled',
        cause: { code: 'cancelled', detail: 'ann: wrong input' },
        ended: { succeeded: 4, failed: 0, expired: 0, cancelled: 26, skipped: 0 },
      });
      expect(await fixture.messageStates()).toEqual({ cancelled: 6, completed: 4 });
      expect(await fixture.chunkStates(id)).toEqual(['done', 'done', 'done']);
      expect((await fixture.audit()).map(({ action, affected }) => [action, affected])).toEqual([
        ['batches.cancel', 1],
        ['messages.cancel', 6],
      ]);
      await expect(fixture.service.pause(id, 'r', { actor: 'ann' })).rejects.toMatchObject({
        code: 'MILLRACE_BATCH_STATE',
      });
      await fixture.service.retry(id, 'it was right after all', { actor: 'ann' });
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded', ended: { succeeded: 30 } });
    });

    it('expire when their deadline is over, or succeed where enough has', async () => {
      const late = await fixture.submit({
        name: 'late',
        items: 10,
        chunk: 5,
        settings: { chunk: { inFlight: 1 } },
      });
      const enough = await fixture.submit({
        name: 'enough',
        items: 10,
        chunk: 5,
        settings: { chunk: { inFlight: 1 }, success: { threshold: 50 } },
      });
      await fixture.turns();
      await fixture.work(good);
      await fixture.database.execute(
        `update millrace.batches set deadline = clock_timestamp() - interval '1 second'`,
      );
      await fixture.turns();
      expect(await fixture.batch(late)).toMatchObject({
        state: 'expired',
        cause: { code: 'deadline' },
        ended: { succeeded: 5, expired: 5 },
      });
      expect(await fixture.batch(enough)).toMatchObject({
        state: 'succeeded',
        ended: { succeeded: 5, expired: 5 },
      });
    });

    it('change their priority and deadline while they run, not when they are over', async () => {
      const id = await fixture.submit({ items: 1 });
      const deadline = new Date(Date.now() + 86_400_000);
      const changed = await fixture.service.change(
        id,
        { priority: 7, deadline, reason: 'urgent' },
        { actor: 'ann' },
      );
      expect(changed).toMatchObject({ priority: 7, deadline: deadline.toISOString() });
      const without = await fixture.service.change(id, { deadline: null, reason: 'none' }, { actor: 'ann' });
      expect(without).toMatchObject({ priority: 7 });
      expect(without.deadline).toBeUndefined();
      await finish();
      await expect(
        fixture.service.change(id, { priority: 1, reason: 'late' }, { actor: 'ann' }),
      ).rejects.toMatchObject({ code: 'MILLRACE_BATCH_STATE' });
    });

    it('are neither found nor touched by another team, whose items of them are not shown', async () => {
      const id = await fixture.submit({ items: 3, teamOf: (n) => (n === 2 ? 'red' : undefined) });
      await fixture.submit({ name: 'other', team: 'red', items: 1 });
      const red = { actor: 'eve', team: 'red' };
      for (const attempt of [
        () => fixture.service.show(id, red),
        () => fixture.service.show('night', red),
        () => fixture.service.chunks(id, red, { limit: 1, after: 0 }),
        () => fixture.service.items(id, red, { limit: 1, after: 0, maySeeData: true }),
        () => fixture.service.output(id, red, { isPartial: true }),
        () => fixture.service.failedItems(id, red),
        () => fixture.service.pause(id, 'r', red),
        () => fixture.service.resume(id, 'r', red),
        () => fixture.service.cancel(id, 'r', red),
        () => fixture.service.retry(id, 'r', red),
        () => fixture.service.change(id, { priority: 1, reason: 'r' }, red),
      ])
        await expect(attempt()).rejects.toMatchObject({ code: 'MILLRACE_BATCH_NOT_FOUND' });
      const { batches } = await fixture.service.list({}, red, { limit: 10 });
      expect(batches.map(({ name: batch }) => batch)).toEqual(['other']);
      const { items } = await fixture.service.items(
        id,
        { team: 'blue' },
        { limit: 10, after: 0, maySeeData: true },
      );
      expect(items.map(({ position }) => position)).toEqual([1, 3]);
      expect(await fixture.audit()).toEqual([]);
    });

    it('lose what they keep of a customer who is erased, and nothing else', async () => {
      const id = await fixture.submit({
        items: 4,
        customerOf: (n) => (n === 2 ? 'zeta' : undefined),
        settings: { ...noTripwire, success: { threshold: 50 } },
      });
      const { database } = fixture;
      const customer = { kind: 'customer', customer: 'zeta' } as const;
      const ledger = new ErasureLedger({ database, clock: systemClock });
      expect((await ledger.measure(customer)).open).toBe(1);
      await finish((n) => (n === 2 ? broken : good(n)));
      expect((await ledger.measure(customer)).open).toBe(0);
      const before = (await fixture.output(id)).split('\n');
      await eraseBatches(database, customer, 'erased-1');
      const after = (await fixture.output(id)).split('\n');
      expect(after.toSpliced(1, 1)).toEqual(before.toSpliced(1, 1));
      expect(after[1]).toBe(
        '{"id":"millrace:erased:2","position":2,"status":"failed","error":{"code":"MILLRACE_STAGE_FAILED","message":""},"costUsd":"0.002","tokens":{"input":10,"output":5}}',
      );
      await eraseBatches(database, { kind: 'customer', customer: 'acme' }, 'erased-2');
      expect(await fixture.output(id)).not.toMatch(/item-|died/);
      expect(await fixture.batch(id)).toMatchObject({ origin: { customer: 'erased-2' }, costUsd: '0.032' });
      await expect(fixture.service.retry(id, 'again', { actor: 'ann' })).rejects.toMatchObject({
        code: 'MILLRACE_BATCH_STATE',
        message: expect.stringContaining('none of its items can be run again'),
      });
    });

    it('leave the ledger when they have been over for long, or were never started, items first', async () => {
      const { database } = fixture;
      const ended = await fixture.submit({ name: 'ended', items: 3 });
      await finish();
      const running = await fixture.submit({ name: 'running', items: 3 });
      await fixture.submit({ name: 'forgotten', items: 3, state: 'receiving' });
      const fresh = await fixture.submit({ name: 'fresh', items: 3, state: 'receiving' });
      await database.execute(
        `update millrace.batches set received_at = received_at - interval '8 days' where name <> 'fresh';
         update millrace.batches set ended_at = ended_at - interval '31 days'`,
      );
      const retention = new BatchRetention(database, { finishedDays: 30 });
      while (await retention.prune());
      const { batches } = await fixture.service.list({}, {}, { limit: 10 });
      expect(batches.map((batch) => batch.id).toSorted()).toEqual([running, fresh].toSorted());
      await expect(fixture.batch(ended)).rejects.toThrow('no such batch');
      const { rows } = await database.query<{ readonly count: number }>({
        name: 'test.items',
        text: 'select count(*)::int as count from millrace.batch_items',
      });
      expect(rows[0]?.count).toBe(6);
    });

    it('take no message as their own that somebody else sent under the identity of an item', async () => {
      const id = await fixture.submit({ items: 5, settings: noTripwire });
      const { database } = fixture;
      // What each of the five is: sent by the batch itself, before its process died; other data; another customer; data elsewhere; erased.
      await database.query(
        {
          name: 'test.others',
          text: `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer, feature, batch,
             item, trace_parent, body, body_ref, body_bytes, state, available_at, sweep_at, created_at, admitted_at)
           select i.message_id, i.message_id, case when i.position = 5 then 'erased' else '/v1/batches/' || i.batch_id end, i.item_id, 'thing.found', 1, 'things', 'sort', 'platform', 'bulk', 'blue',
             case when i.position = 3 then 'globex' else 'acme' end, 'search', 'night', i.item_id, '00-' || repeat('a', 32) || '-' || repeat('b', 16) || '-01',
             case i.position when 1 then '{ "n": 1 }' when 2 then '{"n":7}' when 3 then i.data when 5 then 'null' end,
             case when i.position = 4 then 'sha256/' || repeat('0', 64) || '/7' end, 7, 'pending',
             clock_timestamp(), 'infinity', clock_timestamp(), clock_timestamp()
           from millrace.batch_items i where i.batch_id = $1`,
        },
        [id],
      );
      await finish();
      expect(await fixture.itemStates(id)).toEqual(['succeeded', 'failed', 'failed', 'failed', 'succeeded']);
      const lines = (await fixture.output(id)).split('\n');
      for (const line of lines.slice(1, 4)) expect(line).toContain('"code":"MILLRACE_BATCH_ITEM_TAKEN"');
      expect(await fixture.batch(id)).toMatchObject({ costUsd: '0.02' });
    });
  });
}
