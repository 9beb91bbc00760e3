import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';
import { type RequestFate, RequestFixture, type RequestProcess } from '../support/request-fixture.ts';

const said = { kind: 'says', outputs: [{ n: 1 }], costUsd: '0.01' } as const;
const reused = { code: 'MILLRACE_IDEMPOTENCY_KEY_REUSED' };

/** What is promised of requests, whichever database the ledger is on. */
export function requestsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`requests on ${name}`, () => {
    let fixture: RequestFixture;
    beforeEach(async () => {
      fixture = await RequestFixture.begin(await open());
    });
    afterEach(() => fixture.close());

    /** Does the work in processes that die after one operation, after two, and so on, until one lives through it. */
    async function dyingEverywhere(
      work: (process: RequestProcess) => Promise<unknown>,
      afterDeath: () => Promise<void>,
    ): Promise<number> {
      for (let dieAt = 0; ; dieAt += 1) {
        const process = fixture.process(mortalDatabase(fixture.database, new Mortality(dieAt)));
        try {
          await work(process);
          return dieAt;
        } catch (error) {
          if (!(error instanceof Died)) throw error;
          await afterDeath();
        }
      }
    }

    describe('with a key', () => {
      it('are one for as long as the key stands, by whichever process, and another for another wish', async () => {
        const { id } = await fixture.submit(1, { key: 'one' });
        const other = fixture.process();
        expect((await fixture.submit(1, { key: 'one', by: other })).id).toBe(id);
        await expect(fixture.submit(2, { key: 'one' })).rejects.toMatchObject(reused);
        await expect(
          fixture.submit(1, { key: 'one', body: { onDisconnect: 'cancel' } }),
        ).rejects.toMatchObject(reused);
        const red = { origin: { team: 'red', customer: 'acme', feature: 'search' } };
        const another = await fixture.submit(1, { key: 'one', body: red });
        expect(another.id).not.toBe(id);
        await fixture.work(() => said);
        await fixture.main.turn();
        expect(await fixture.submit(1, { key: 'one' })).toMatchObject({ id, state: 'completed' });
        expect(await fixture.count('messages where parent_id is null')).toBe(2);
      });

      it('are new when the time of the key is over', async () => {
        const { id } = await fixture.submit(1, { key: 'one' });
        await fixture.database.execute(
          `update millrace.request_keys set expires_at = clock_timestamp() - interval '1 second'`,
        );
        const next = await fixture.submit(2, { key: 'one' });
        expect(next.id).not.toBe(id);
        expect((await fixture.submit(2, { key: 'one' })).id).toBe(next.id);
        expect(await fixture.show(id)).toMatchObject({ id, state: 'queued' });
      });

      it('are one when they come fifty at once, to two processes', async () => {
        const processes = [fixture.main, fixture.process()];
        const documents = await Promise.all(
          Array.from({ length: 50 }, (_, n) =>
            fixture.submit(1, { key: 'same', by: processes[n % 2] ?? fixture.main }),
          ),
        );
        expect(new Set(documents.map(({ id }) => id)).size).toBe(1);
        expect(await fixture.count('requests')).toBe(1);
        expect(await fixture.count('messages')).toBe(1);
      });

      it('are one though the process that accepts them dies between any two operations', async () => {
        const ids = new Set<Uuid>();
        let deaths = 0;
        await dyingEverywhere(
          async (process) => {
            ids.add((await fixture.submit(1, { key: 'dying', by: process })).id);
          },
          async () => {
            deaths += 1;
            expect(await fixture.count('requests')).toBeLessThanOrEqual(1);
          },
        );
        expect(deaths).toBeGreaterThanOrEqual(3);
        ids.add((await fixture.submit(1, { key: 'dying' })).id);
        expect(ids.size).toBe(1);
        expect(await fixture.count('messages')).toBe(1);
      });

      it('are answered though new ones are refused by now', async () => {
        const { id } = await fixture.submit(1, { key: 'before' });
        const counted: string[] = [];
        const refusing = fixture.process(fixture.database, {
          check: {
            check: () =>
              Promise.resolve({
                error: new AppError('MILLRACE_OVERLOADED', 'no money'),
                count: () => counted.push('refused'),
              }),
          },
        });
        expect((await fixture.submit(1, { key: 'before', by: refusing })).id).toBe(id);
        const refused = { code: 'MILLRACE_OVERLOADED' };
        await expect(fixture.submit(2, { key: 'before', by: refusing })).rejects.toMatchObject(reused);
        await expect(fixture.submit(3, { key: 'after', by: refusing })).rejects.toMatchObject(refused);
        await expect(fixture.submit(3, { by: refusing })).rejects.toMatchObject(refused);
        expect(await fixture.count('requests')).toBe(1);
      });
    });

    it('that were never accepted go, with their keys, and the others stay', async () => {
      const { id } = await fixture.submit(1, { key: 'kept' });
      await dyingEverywhere(
        (process) => fixture.submit(2, { by: process }),
        () => Promise.resolve(),
      );
      const withoutMessage =
        'requests q where not exists (select from millrace.messages m where m.id = q.id)';
      expect(await fixture.count(withoutMessage)).toBeGreaterThan(0);
      await fixture.main.prune();
      expect(await fixture.count(withoutMessage)).toBeGreaterThan(0);
      await fixture.database.execute(
        `update millrace.requests set created_at = clock_timestamp() - interval '11 minutes'`,
      );
      await fixture.main.prune();
      expect(await fixture.count(withoutMessage)).toBe(0);
      expect(await fixture.show(id)).toMatchObject({ id });
      expect(await fixture.count('request_keys')).toBe(1);
    });

    it('are refused while too much waits, and say when to come again', async () => {
      const full = fixture.process(fixture.database, { settings: { maxQueued: 1 } });
      await fixture.submit(1, { by: full });
      const next = fixture.process(fixture.database, { settings: { maxQueued: 1 } });
      const refusal = fixture.submit(2, { by: next });
      await expect(refusal).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_BACKLOG', retryAfterMs: 10_000 });
      expect(await fixture.count('requests')).toBe(1);
    });

    it('end with what their pipeline said, what it cost, or why it failed', async () => {
      const fates = new Map<Uuid, RequestFate>();
      const one = await fixture.submit(1);
      fates.set(one.id, said);
      const two = await fixture.submit(2);
      fates.set(two.id, { kind: 'says', outputs: [{ n: 2 }, { n: 1 }] });
      const three = await fixture.submit(3);
      fates.set(three.id, { kind: 'returns', result: 'done' });
      const four = await fixture.submit(4);
      fates.set(four.id, { kind: 'dies', code: 'MILLRACE_MODEL_RATE_LIMITED', costUsd: '0.5' });
      const five = await fixture.submit(5);
      fates.set(five.id, { kind: 'says', outputs: [] });
      await fixture.work(({ id }) => fates.get(id) ?? said);
      const told: string[] = [];
      fixture.main.ends.watch((ended) => told.push(...ended.map(({ id, state }) => `${id} ${state}`)));
      await fixture.main.turn();
      await fixture.main.turn();
      expect(told.toSorted()).toEqual(
        [one, two, three, five]
          .map(({ id }) => `${id} completed`)
          .concat(`${four.id} failed`)
          .toSorted(),
      );
      expect(await fixture.show(one.id)).toMatchObject({
        state: 'completed',
        outputs: 1,
        result: { n: 1 },
        cost: { usd: '0.01', isFinal: true, calls: 1 },
      });
      expect(await fixture.show(two.id)).toMatchObject({ outputs: 2, result: [{ n: 1 }, { n: 2 }] });
      expect(await fixture.show(three.id)).toMatchObject({ outputs: 1, result: 'done' });
      expect(await fixture.show(four.id)).toMatchObject({
        state: 'failed',
        error: { code: 'MILLRACE_MODEL_RATE_LIMITED', message: 'it broke', stage: 'sort', retryable: true },
        cost: { usd: '0.5', isFinal: true },
      });
      expect(await fixture.show(five.id)).toMatchObject({ outputs: 0, result: null });
      // What they cost is what the next is expected to cost: 0.01 and three times nothing.
      expect((await fixture.submit(6, { by: fixture.process() })).estimate).toMatchObject({
        costUsd: '0.0025',
      });
    });

    it('are recorded once, though whoever records their ends dies between any two operations', async () => {
      const { id } = await fixture.submit(1);
      await fixture.work(() => said);
      const told: Uuid[] = [];
      const lived = await dyingEverywhere(
        async (process) => {
          process.ends.watch((ended) => told.push(...ended.map((one) => one.id)));
          await process.turn();
        },
        () => Promise.resolve(),
      );
      expect(lived).toBeGreaterThanOrEqual(3);
      await fixture.main.turn();
      expect(told.length).toBeLessThanOrEqual(1);
      expect(await fixture.show(id)).toMatchObject({ state: 'completed', result: { n: 1 } });
    });

    it('are recorded by the process in which their last message ends, without a turn', async () => {
      const { id } = await fixture.submit(1);
      await fixture.work(() => said);
      fixture.main.endedMessages.tell({ id, rootId: id });
      await fixture.main.drain();
      expect(await fixture.show(id)).toMatchObject({ state: 'completed' });
    });

    it('keep large results in the payload store, for as long as they are there themselves', async () => {
      const text = 'x'.repeat(100_000);
      const [one, several] = [await fixture.submit(1), await fixture.submit(2)];
      await fixture.work(({ id }) => ({
        kind: 'says',
        outputs: id === one.id ? [{ text }] : [{ text }, { text: text.toUpperCase() }],
      }));
      await fixture.main.turn();
      expect(await fixture.show(one.id)).toMatchObject({ outputs: 1, result: { text } });
      expect(await fixture.show(several.id)).toMatchObject({
        outputs: 2,
        result: [{ text: text.toUpperCase() }, { text }],
      });
      expect(await fixture.count('requests where result is null and result_ref is not null')).toBe(2);
      expect(await fixture.count('held_payloads')).toBe(2);
      await fixture.database.execute(
        `update millrace.requests set ended_at = clock_timestamp() - interval '31 days'`,
      );
      await fixture.main.prune();
      expect(await fixture.count('requests')).toBe(0);
      expect(await fixture.count('held_payloads')).toBe(0);
      expect(await fixture.count('payload_removals')).toBe(2);
    });

    it('fail where what was said is larger than a result may be', async () => {
      const small = fixture.process(fixture.database, { settings: { resultBytes: 1024 } });
      const { id } = await fixture.submit(1);
      await fixture.work(() => ({ kind: 'returns', result: 'x'.repeat(2000) }));
      await small.turn();
      expect(await fixture.show(id)).toMatchObject({
        state: 'failed',
        error: { code: 'MILLRACE_REQUEST_RESULT_TOO_LARGE' },
      });
    });

    describe('that are cancelled', () => {
      const cancel = (id: Uuid, by: RequestProcess = fixture.main) =>
        by.service.cancel(id, 'not wanted', { actor: 'ann' });

      it('never run where they wait, and are cancelled once', async () => {
        const { id } = await fixture.submit(1);
        expect((await cancel(id)).document).toMatchObject({
          state: 'cancelled',
          cost: { usd: '0', isFinal: true },
        });
        expect((await cancel(id)).document.state).toBe('cancelled');
        expect(await fixture.work(() => said)).toEqual([]);
        expect(await fixture.count(`operator_actions where action = 'messages.cancel'`)).toBe(1);
      });

      it('end when their last call is settled, for what it really cost', async () => {
        const { id } = await fixture.submit(1);
        const callId = newId(new Date());
        await fixture.work(() => ({ kind: 'asks', callId }));
        const { document } = await cancel(id);
        expect(document).toMatchObject({ state: 'running', openMessages: 0, cost: { unsettledCalls: 1 } });
        expect(document.cancelAskedAt).toBeDefined();
        await fixture.main.turn();
        expect((await fixture.show(id)).endedAt).toBeUndefined();
        await fixture.answer(callId, '0.003');
        await fixture.main.turn();
        expect(await fixture.show(id)).toMatchObject({
          state: 'cancelled',
          cost: { usd: '0.003', isFinal: true },
        });
      });

      it('are cancelled in the end, though whoever cancels them dies between any two operations', async () => {
        let submitted = await fixture.submit(0);
        const asked: Uuid[] = [];
        await dyingEverywhere(
          async (process) => {
            await cancel(submitted.id, process);
          },
          async () => {
            asked.push(submitted.id);
            submitted = await fixture.submit(asked.length);
          },
        );
        expect(asked.length).toBeGreaterThanOrEqual(3);
        await fixture.main.turn();
        for (const id of asked) expect(await fixture.show(id)).toMatchObject({ state: 'cancelled' });
        expect(await fixture.work(() => said)).toEqual([]);
      });

      it('are refused that when they have ended', async () => {
        const { id } = await fixture.submit(1);
        await fixture.work(() => said);
        await fixture.main.turn();
        await expect(cancel(id)).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_ENDED' });
        await expect(cancel(newId(new Date()))).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_NOT_FOUND' });
      });
    });

    it('are listed newest first, in pages, by origin and state, and within what the viewer may see', async () => {
      const ids: Uuid[] = [];
      for (const customer of ['one', 'two', 'two'])
        ids.push(
          (await fixture.submit(1, { body: { origin: { team: 'blue', customer, feature: 'search' } } })).id,
        );
      ids.push(
        (await fixture.submit(1, { body: { origin: { team: 'red', customer: 'one', feature: 'f' } } })).id,
      );
      const newest = ids.toSorted().toReversed();
      const { service } = fixture.main;
      const list = async (...given: Parameters<typeof service.list>) =>
        (await service.list(...given)).requests.map(({ id }) => id);
      const first = await service.list({}, {}, { limit: 3 });
      expect(first.requests.map(({ id }) => id)).toEqual(newest.slice(0, 3));
      expect(first.next).toBe(newest[2]);
      expect(await list({}, {}, { limit: 3, after: newest[2] })).toEqual(newest.slice(3));
      const ofTwo = newest.filter((id) => id === ids[1] || id === ids[2]);
      expect(await list({ customer: ['two'] }, {}, { limit: 10 })).toEqual(ofTwo);
      expect(await list({}, { team: 'blue', customer: 'two' }, { limit: 10 })).toEqual(ofTwo);
      expect(await list({ team: ['red'] }, { team: 'blue' }, { limit: 10 })).toEqual([]);
      expect(await list({ state: ['running', 'completed'] }, {}, { limit: 10 })).toEqual([]);
      await fixture.work(() => ({ kind: 'asks', callId: newId(new Date()) }));
      expect(await list({ state: ['running'] }, { team: 'red' }, { limit: 10 })).toEqual([ids[3]]);
      await expect(service.show(String(ids[0]), { customer: 'two' }, { waitMs: 0 })).rejects.toMatchObject({
        code: 'MILLRACE_REQUEST_NOT_FOUND',
      });
    });

    it('wait for their ends, told at once or by asking, and no longer than wanted', async () => {
      const { id } = await fixture.submit(1);
      const other = fixture.process();
      const waits = [fixture.main, other].map(({ service }) => service.show(id, {}, { waitMs: 30_000 }));
      await fixture.work(() => said);
      await fixture.main.turn();
      for (const { document, isOver } of await Promise.all(waits))
        expect([document.state, isOver]).toEqual(['completed', true]);
      const next = await fixture.submit(2);
      expect((await other.service.show(next.id, {}, { waitMs: 20 })).isOver).toBe(false);
      const none = fixture.process(fixture.database, { settings: { waits: 0 } });
      expect((await none.service.show(next.id, {}, { waitMs: 30_000 })).isOver).toBe(false);
    });

    it('take the origin, and the lane, of their keys', async () => {
      const caller = { team: 'blue', customer: 'free-user', feature: 'chat', tier: 'free' } as const;
      const { origin } = await fixture.submit(1, { caller, body: { origin: {} } });
      expect(origin).toEqual({ team: 'blue', customer: 'free-user', feature: 'chat' });
      await fixture.submit(1);
      expect(await fixture.count(`messages where lane = 'bulk' and customer = 'free-user'`)).toBe(1);
      expect(await fixture.count(`messages where lane = 'standard'`)).toBe(1);
      const forbidden = { code: 'MILLRACE_FORBIDDEN' };
      for (const other of [{ team: 'red' }, { customer: 'another' }, { feature: 'search' }])
        await expect(fixture.submit(1, { caller, body: { origin: other } })).rejects.toMatchObject(forbidden);
      await expect(fixture.submit(1, { body: { origin: {} } })).rejects.toMatchObject({
        code: 'MILLRACE_ORIGIN_INVALID',
      });
    });
  });
}
