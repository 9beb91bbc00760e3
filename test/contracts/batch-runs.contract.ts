import { beforeEach, describe, expect, it } from 'vitest';
import { ChunkLedger } from '../../src/capabilities/batches/run/chunk-ledger.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { BatchFixture, type Fate } from '../support/batch-fixture.ts';
import { depth, isFullDepth } from '../support/test-depth.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';

const good = (n: number): Fate => ({ kind: 'says', data: { n }, costUsd: '0.01' });
const limited: Fate = { kind: 'dies', code: 'MILLRACE_MODEL_RATE_LIMITED' };
const broken: Fate = { kind: 'dies', code: 'MILLRACE_STAGE_FAILED', costUsd: '0.002' };
/** So that nothing halts by itself. */
const noTripwire = { tripwire: { share: 100 } };

/** What is promised of running batches, whichever database the ledger is on. */
export function batchRunsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`running batches on ${name}`, () => {
    let fixture: BatchFixture;
    beforeEach(async () => {
      fixture = await BatchFixture.begin(await open());
    });

    /** Runs to the end with a worker that ends items so. */
    async function finish(fateOf: (n: number) => Fate = good): Promise<void> {
      await fixture.turns();
      while ((await fixture.work(fateOf)) > 0) await fixture.turns();
    }

    it('admit chunk by chunk, record what comes out, and end once', async () => {
      const id = await fixture.submit({ items: 25, settings: { chunk: { inFlight: 1 } } });
      await fixture.turns();
      expect(await fixture.messageStates()).toEqual({ pending: 10 });
      expect(await fixture.chunkStates(id)).toEqual(['running', 'waiting', 'waiting']);
      await fixture.work(good);
      await fixture.turns();
      expect(await fixture.chunkStates(id)).toEqual(['done', 'running', 'waiting']);
      expect(await fixture.batch(id)).toMatchObject({ state: 'running', costUsd: '0.1' });
      await finish();
      const batch = await fixture.batch(id);
      expect(batch).toMatchObject({ state: 'succeeded', costUsd: '0.25', unpriced: 0 });
      expect(batch.ended).toEqual({ succeeded: 25, failed: 0, expired: 0, cancelled: 0, skipped: 0 });
      expect(batch.endedAt).toBeInstanceOf(Date);
      const lines = (await fixture.output(id)).trimEnd().split('\n');
      expect(lines).toHaveLength(25);
      expect(lines[12]).toBe(
        '{"id":"item-13","position":13,"status":"succeeded","outputs":[{"n":13}],"costUsd":"0.01","tokens":{"input":10,"output":5}}',
      );
    });

    it('give items the origin that they name', async () => {
      await fixture.submit({
        items: 2,
        teamOf: (n) => (n === 2 ? 'red' : undefined),
        customerOf: (n) => `c${n}`,
      });
      await fixture.turns();
      const { rows } = await fixture.database.query({
        name: 'test.origins',
        text: 'select team, customer, feature, batch, lane, item from millrace.messages order by item',
      });
      expect(rows).toEqual([
        { team: 'blue', customer: 'c1', feature: 'search', batch: 'night', lane: 'bulk', item: 'item-1' },
        { team: 'red', customer: 'c2', feature: 'search', batch: 'night', lane: 'bulk', item: 'item-2' },
      ]);
    });

    it('fail items that are larger than allowed, without a message', async () => {
      const id = await fixture.submit({
        items: 10,
        settings: { ...noTripwire, caps: { inputTokens: 50, action: 'fail' } },
      });
      await fixture.database.execute(
        `update millrace.batches set caps = '{"boundTokens":50,"items":2,"tokensBefore":102,"tokensAfter":0}';
         update millrace.batch_items set tokens = case when position <= 2 then 51 else 50 end`,
      );
      await finish();
      expect(await fixture.messageStates()).toEqual({ completed: 8 });
      expect((await fixture.batch(id)).ended).toMatchObject({ succeeded: 8, failed: 2 });
      expect((await fixture.output(id)).split('\n')[0]).toContain('"code":"MILLRACE_BATCH_ITEM_TOO_LARGE"');
    });

    it('isolate items that fail, with their error and attempts, and fail below the threshold', async () => {
      const id = await fixture.submit({ items: 10, settings: { ...noTripwire, success: { threshold: 80 } } });
      await finish((n) => (n <= 3 ? broken : good(n)));
      expect(await fixture.batch(id)).toMatchObject({
        state: 'failed',
        cause: { code: 'below_threshold', detail: '7 of 10 items succeeded; 80 % are needed.' },
        ended: { succeeded: 7, failed: 3 },
        costUsd: '0.076',
      });
      expect(await fixture.chunkStates(id)).toEqual(['done']);
      const page = await fixture.service.items(
        'night',
        {},
        { state: ['failed'], after: 0, limit: 2, maySeeData: true },
      );
      expect(page.next).toBe('2');
      expect(page.items[0]).toMatchObject({
        id: 'item-1',
        error: { code: 'MILLRACE_STAGE_FAILED', message: 'died of MILLRACE_STAGE_FAILED' },
        attempts: 1,
        input: { n: 1 },
        costUsd: '0.002',
      });
    });

    it('succeed at the threshold, which skipped items count against', async () => {
      const id = await fixture.submit({ items: 10, settings: { ...noTripwire, success: { threshold: 80 } } });
      await fixture.database.execute(
        `update millrace.batch_items set state = 'skipped', data = null where position = 1; update millrace.batches set skipped = 1;
         update millrace.batch_chunks set ended = 1`,
      );
      await finish((n) => (n === 2 ? broken : good(n)));
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        ended: { succeeded: 8, failed: 1, skipped: 1 },
      });
      expect((await fixture.output(id)).split('\n')[0]).toMatch(
        /^\{"id":"item-1","position":1,"status":"skipped"/,
      );
    });

    it('begin a chunk again for what failed for a reason that passes, and pay for nothing twice', async () => {
      const id = await fixture.submit({ items: 4 });
      await finish((n) => (n > 2 ? limited : good(n)));
      expect(await fixture.batch(id)).toMatchObject({
        state: 'running',
        ended: { succeeded: 2, failed: 0 },
      });
      expect(await fixture.itemStates(id)).toEqual(['succeeded', 'succeeded', 'waiting', 'waiting']);
      const { chunks } = await fixture.service.chunks(id, {}, { limit: 10, after: 0 });
      expect(chunks).toMatchObject([
        { state: 'waiting', attempts: 1, cause: { code: 'MILLRACE_MODEL_RATE_LIMITED' } },
      ]);
      expect(chunks[0]?.nextAt).toBeDefined();
      await fixture.passTime();
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded', ended: { succeeded: 4 } });
      const { rows } = await fixture.database.query<{ readonly count: number }>({
        name: 'test.messages',
        text: `select count(*)::int as count from millrace.messages where stage <> ''`,
      });
      expect(rows[0]?.count).toBe(4);
      expect(await fixture.audit()).toEqual([
        {
          actor: 'batch:night',
          action: 'dead_letters.replay',
          target: 'batch night',
          affected: 2,
          reason: 'chunk 1 is begun again',
          team: 'blue',
        },
      ]);
    });

    it('give a chunk up after its attempts, and go on with the others', async () => {
      const id = await fixture.submit({
        items: 20,
        settings: { ...noTripwire, retry: { chunks: 1, backoffSeconds: 1 } },
      });
      const fateOf = (n: number): Fate => (n === 5 ? limited : good(n));
      await finish(fateOf);
      await fixture.passTime();
      await finish(fateOf);
      expect(await fixture.chunkStates(id)).toEqual(['failed', 'done']);
      expect(await fixture.batch(id)).toMatchObject({
        state: 'failed',
        ended: { succeeded: 19, failed: 1 },
      });
    });

    it('halt when too much fails for one reason, and go on when they are resumed', async () => {
      const id = await fixture.submit({
        items: 40,
        settings: { chunk: { inFlight: 1 }, tripwire: { share: 20, items: 10 } },
      });
      await fixture.turns();
      await fixture.work((n) => (n <= 3 ? broken : good(n)));
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'halted',
        cause: {
          code: 'tripwire',
          detail: '3 of 10 ended items failed with MILLRACE_STAGE_FAILED, more than 20 %.',
        },
      });
      expect(await fixture.chunkStates(id)).toEqual(['done', 'waiting', 'waiting', 'waiting']);
      await fixture.service.resume(id, 'mended', { actor: 'ann' });
      await finish((n) => (n === 11 ? broken : good(n)));
      const { state, ended } = await fixture.batch(id);
      expect({ state, ended }).toMatchObject({ state: 'failed', ended: { succeeded: 36, failed: 4 } });
      const retried = await fixture.service.retry(id, 'the template is mended', { actor: 'ann' });
      expect(retried).toMatchObject({ items: 4, batch: { state: 'running', items: { failed: 0, open: 4 } } });
      await finish();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        ended: { succeeded: 40, failed: 0 },
        costUsd: '0.4',
      });
    });

    it('fail items whose messages are refused, and go on', async () => {
      const id = await fixture.submit({ items: 3, settings: noTripwire });
      await fixture.database.execute(
        `update millrace.batch_items set data = '{"n":"two"}' where position = 2`,
      );
      await finish();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'failed',
        ended: { succeeded: 2, failed: 1 },
      });
      expect((await fixture.output(id)).split('\n')[1]).toContain('"code":"MILLRACE_MESSAGE_INVALID"');
    });

    it('put a chunk back while nothing may be admitted, for as long as it takes', async () => {
      const id = await fixture.submit({ items: 3, settings: { retry: { chunks: 0 } } });
      let isRefused = true;
      const error = new AppError('MILLRACE_WORK_PARKED', 'The budget is used up.');
      const { runner } = fixture.process(fixture.database, {
        check: () => Promise.resolve(isRefused ? { error, count: () => undefined } : undefined),
      });
      for (let round = 0; round < 3; round += 1) {
        await fixture.turns(runner);
        expect(await fixture.itemStates(id)).toEqual(['waiting', 'waiting', 'waiting']);
        await fixture.passTime();
      }
      const { chunks } = await fixture.service.chunks(id, {}, { limit: 10, after: 0 });
      expect(chunks).toMatchObject([
        { state: 'waiting', attempts: 0, cause: { code: 'MILLRACE_WORK_PARKED' } },
      ]);
      isRefused = false;
      await fixture.turns(runner);
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded' });
    });

    it('halt where a store goes on to fail, keep what is done, and go on when it is back', async () => {
      const id = await fixture.submit({ items: 3, settings: { retry: { chunks: 1 } } });
      let isAway = true;
      const error = new AppError('MILLRACE_PAYLOAD_UNAVAILABLE', 'The disk is full.');
      const { runner } = fixture.process(fixture.database, {
        check: () => Promise.resolve(isAway ? { error, count: () => undefined } : undefined),
      });
      await fixture.turns(runner);
      expect(await fixture.batch(id)).toMatchObject({ state: 'running' });
      await fixture.passTime();
      await fixture.turns(runner);
      expect(await fixture.batch(id)).toMatchObject({
        state: 'halted',
        cause: { code: 'MILLRACE_PAYLOAD_UNAVAILABLE', detail: 'The disk is full.' },
      });
      isAway = false;
      await fixture.service.resume(id, 'a larger disk', { actor: 'ann' });
      await fixture.turns(runner);
      await finish();
      expect(await fixture.batch(id)).toMatchObject({ state: 'succeeded', ended: { succeeded: 3 } });
    });

    it('take turns, the higher priority first', async () => {
      const settings = { chunk: { inFlight: 2 } };
      const low = await fixture.submit({ name: 'low', items: 6, chunk: 1, settings });
      const high = await fixture.submit({ name: 'high', items: 3, chunk: 1, settings, priority: 5 });
      await fixture.turn();
      expect(await fixture.chunkStates(high)).toEqual(['running', 'running', 'waiting']);
      expect(new Set(await fixture.chunkStates(low))).toEqual(new Set(['waiting']));
      await fixture.turn();
      expect((await fixture.chunkStates(low)).filter((state) => state === 'running')).toHaveLength(2);
    });

    it('share what may be under way by turns between batches of one priority', async () => {
      const settings = { chunk: { inFlight: 64 } };
      const first = await fixture.submit({ name: 'first', items: 90, chunk: 1, settings });
      const second = await fixture.submit({ name: 'second', items: 90, chunk: 1, settings });
      await fixture.turns();
      const running = async (id: string) =>
        (await fixture.chunkStates(id)).filter((state) => state === 'running').length;
      expect([await running(first), await running(second)]).toEqual([32, 32]);
    });

    it('begin chunks of the batch of which none was begun for longest', async () => {
      const settings = { chunk: { inFlight: 1 } };
      const first = await fixture.submit({ name: 'first', items: 3, chunk: 1, settings });
      const second = await fixture.submit({ name: 'second', items: 3, chunk: 1, settings });
      const chunks = new ChunkLedger(fixture.database);
      const begun: string[] = [];
      for (let turn = 0; turn < 4; turn += 1) {
        await chunks.claim({ chunks: 1, items: 10, batches: 1, begun: 1, looks: 2 });
        const { rows } = await fixture.database.query<{ readonly batch_id: string }>({
          name: 'test.end_running',
          text: `update millrace.batch_chunks set state = 'done' where state = 'running' returning batch_id`,
        });
        begun.push(...rows.map((row) => row.batch_id));
        await nextMillisecond(fixture.database);
      }
      expect(begun).toEqual([first, second, first, second]);
    });

    it('begin the chunk of a batch behind as many as are compared, of which no chunk is due', async () => {
      await fixture.submit({ name: 'waits', items: 1 });
      await fixture.database.execute(
        `update millrace.batch_chunks set next_at = clock_timestamp() + interval '1 hour';
         insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, upload_state, items, chunks, actor, started_at)
         select gen_random_uuid(), team, name || n, customer, feature, pipeline, type, version, settings, state, upload_state, items, chunks, actor, started_at
         from millrace.batches, generate_series(2, 200) n;
         insert into millrace.batch_chunks (batch_id, chunk, first_position, items, next_at)
         select b.id, c.chunk, c.first_position, c.items, c.next_at from millrace.batches b, millrace.batch_chunks c where b.id <> c.batch_id`,
      );
      const last = await fixture.submit({ name: 'last', items: 1 });
      await finish();
      expect(await fixture.batch(last)).toMatchObject({ state: 'succeeded' });
    });

    it('end once, with the same output, when two processes run them at once', async () => {
      const id = await fixture.submit({ items: 60, chunk: 5 });
      const processes = [fixture.process(fixture.database), fixture.process(fixture.database)];
      const both = async (): Promise<void> => {
        // A conflict of the two is one turn that failed: the job makes another.
        for (let round = 0; round < 20; round += 1) {
          const turns = await Promise.allSettled(processes.map(({ runner }) => runner.turn()));
          if (turns.every((turn) => turn.status === 'fulfilled' && !turn.value)) return;
        }
      };
      await both();
      for (let round = 0; round < 10 && (await fixture.work(good)) > 0; round += 1) await both();
      const batch = await fixture.batch(id);
      expect(batch).toMatchObject({ state: 'succeeded', ended: { succeeded: 60 }, costUsd: '0.6' });
      expect(await fixture.messageStates()).toEqual({ completed: 60 });
    });

    it('have the same output, byte for byte, wherever the process dies', { timeout: 300_000 }, async () => {
      const settings = { ...noTripwire, chunk: { inFlight: 2 }, retry: { chunks: 2 } };
      const fateOf = (n: number): Fate => {
        if (n === 3) return broken;
        return n === 5 && !isOver ? limited : good(n);
      };
      let isOver = false;
      /** Runs the batch with a process that dies after so many statements, and is followed by one that does not. */
      async function runWith(dieAt: number): Promise<{ output: string; cost: string; died: boolean }> {
        fixture = await BatchFixture.begin(await open());
        isOver = false;
        const id = await fixture.submit({ items: 9, chunk: 3, settings });
        const mortal = fixture.process(mortalDatabase(fixture.database, new Mortality(dieAt)));
        let runner = mortal.runner;
        let died = false;
        const turn = async (): Promise<boolean> => {
          try {
            return await runner.turn();
          } catch (error) {
            if (!isDeath(error)) throw error;
            died = true;
            runner = fixture.process(fixture.database).runner;
            return true;
          }
        };
        for (let round = 0; round < 60; round += 1) {
          while (await turn());
          const worked = await fixture.work(fateOf);
          if (worked === 0) {
            isOver = true;
            await fixture.passTime();
          }
          if ((await fixture.batch(id)).endedAt !== undefined) break;
        }
        const batch = await fixture.batch(id);
        expect(batch.ended).toMatchObject({ succeeded: 8, failed: 1 });
        return { output: await fixture.output(id), cost: batch.costUsd, died };
      }
      const { died: _, ...undisturbed } = await runWith(Infinity);
      let deaths = 0;
      // The databases share the moments, unless all of them are wanted.
      const first = isFullDepth || name === 'PGlite' ? 0 : 7;
      for (let dieAt = first; ; dieAt += depth({ usual: 14, full: 1 })) {
        const { died, ...run } = await runWith(dieAt);
        expect(run, `died after statement ${dieAt}`).toEqual(undisturbed);
        if (!died) break;
        deaths += 1;
      }
      expect(deaths).toBeGreaterThan(depth({ usual: 4, full: 70 }));
    });
  });
}

function isDeath(error: unknown): boolean {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if (current instanceof Died) return true;
    current = current.cause;
  }
  return false;
}

/** PGlite's clock has milliseconds: what happens within one is told apart by ids alone. */
async function nextMillisecond(database: SqlDatabase): Promise<void> {
  const now = async (): Promise<unknown> => {
    const text = `select date_trunc('milliseconds', clock_timestamp())::text as now`;
    const { rows } = await database.query<{ readonly now: string }>({ name: 'test.now', text });
    return rows[0]?.now;
  };
  const before = await now();
  await expect.poll(now, { interval: 1 }).not.toBe(before);
}
