import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { CallLedger } from '../../src/ledger/call-ledger.ts';
import { type DeadLetterFilter, DeadLetters, type OperationRecord } from '../../src/ledger/dead-letters.ts';
import type { MessageLedger } from '../../src/ledger/message-ledger.ts';
import { prune } from '../../src/ledger/retention.ts';
import { SweepLedger } from '../../src/ledger/sweep-ledger.ts';
import { someAdmission, someLedger, someReservation, someSettlement } from '../support/ledger-fixture.ts';

const leaseMs = 30_000;
const everyone = {};

/** What the ledger promises about dead letters, on whichever database. */
export function deadLettersContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`dead letters on ${name}`, () => {
    let database: SqlDatabase;
    let messages: MessageLedger;
    let calls: CallLedger;
    let letters: DeadLetters;

    beforeEach(async () => {
      database = await open();
      await database.execute(
        'truncate millrace.messages, millrace.failures, millrace.calls, millrace.outbox, millrace.pruned_totals, millrace.dead_letter_actions, millrace.operator_actions',
      );
      messages = someLedger(database);
      calls = new CallLedger({ database, clock: systemClock });
      letters = new DeadLetters(database);
    });

    type Parts = Parameters<typeof someAdmission>[0];

    const lease = async (id: string) => {
      const outcome = await messages.lease(id, leaseMs);
      if (outcome.kind !== 'leased') throw new Error(`not leased: ${outcome.kind}`);
      return outcome.message;
    };

    const end = async (id: string, fence: number, code = 'MILLRACE_STAGE_FAILED') => {
      expect(
        await messages.end({
          id,
          fence,
          state: 'dead_lettered',
          code,
          detail: '{"chain":[]}',
          outcomeLine: '{}',
        }),
      ).toBe(true);
    };

    const dead = async (parts: Parts = {}, code?: string): Promise<string> => {
      const { envelope, ...rest } = someAdmission(parts);
      await messages.admit({ envelope, ...rest });
      await end(envelope.id, (await lease(envelope.id)).fence, code);
      return envelope.id;
    };

    /** A call made under the message's present lease, settled at the price. */
    const pay = async (
      id: string,
      fence: number,
      step: string,
      cost: string,
      answer = true,
    ): Promise<void> => {
      const call = newId(new Date());
      await calls.reserve(someReservation({ id: call, message: { id, fence }, step }));
      await calls.settle(
        someSettlement({
          id: call,
          costUsd: usd(cost),
          ...(answer ? {} : { outcome: 'error', answer: undefined }),
        }),
      );
    };

    const operation = (reason = 'mended'): OperationRecord => ({
      id: newId(new Date()),
      actor: 'ann',
      reason,
      target: 'dead letters',
      detail: { how: 'test' },
    });

    const replay = (
      filter: DeadLetterFilter,
      record = operation(),
      limit = 100,
      rate = { firstMs: 0, stepMs: 0 },
    ) => letters.replaySlice(filter, everyone, { ...record, limit, ...rate });

    const idsOf = async (filter: DeadLetterFilter, viewer = everyone): Promise<string[]> => {
      const { letters: found } = await letters.list(filter, viewer, { limit: 100 });
      return found.map(({ envelope }) => envelope.id);
    };

    const audit = async () => {
      const { rows } = await database.query({
        name: 'test.audit',
        text: 'select id, actor, action, target, affected, detail, reason from millrace.operator_actions order by at, id',
      });
      return rows;
    };

    const dump = async () =>
      JSON.stringify(
        await Promise.all(
          ['messages', 'failures', 'calls', 'operator_actions', 'dead_letter_actions'].map((table) =>
            database.query({
              name: `test.dump_${table}`,
              text: `select * from millrace.${table} order by 1, 2`,
            }),
          ),
        ),
      );

    it('lists what is dead by every filter, newest death first, and nothing else', async () => {
      const alive = someAdmission();
      await messages.admit(alive);
      const first = await dead(
        {
          stage: 'a',
          pipeline: 'p',
          owner: 'own',
          origin: { team: 'blue', customer: 'c1', feature: 'f1', batch: 'b1' },
        },
        'X',
      );
      const second = await dead({ stage: 'b', origin: { team: 'red', customer: 'c2', feature: 'f2' } }, 'Y');
      expect(await idsOf({})).toEqual([second, first]);
      const filters: DeadLetterFilter[] = [
        { ids: [first, alive.envelope.id] },
        { stage: ['a', 'z'] },
        { pipeline: ['p'] },
        { owner: ['own'] },
        { team: ['blue'] },
        { customer: ['c1'] },
        { feature: ['f1'] },
        { batch: ['b1'] },
        { errorCode: ['X'] },
      ];
      for (const filter of filters) expect(await idsOf(filter), JSON.stringify(filter)).toEqual([first]);
      expect(await idsOf({ stage: ['a'], errorCode: ['Y'] })).toEqual([]);
      expect(await idsOf({ from: new Date(Date.now() + 60_000) })).toEqual([]);
      expect(await idsOf({ to: new Date(Date.now() - 60_000) })).toEqual([]);
      expect(
        await idsOf({ from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 60_000) }),
      ).toHaveLength(2);
    });

    it('pages through deaths of the same moment without losing or repeating one', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 7; n += 1) ids.push(await dead());
      await database.execute("update millrace.messages set finished_at = '2026-03-01T00:00:00.000123Z'");
      const seen: string[] = [];
      for (let after; ;) {
        const page = await letters.list({}, everyone, {
          limit: 3,
          ...(after === undefined ? {} : { after }),
        });
        seen.push(...page.letters.map(({ envelope }) => envelope.id));
        after = page.next;
        if (after === undefined) break;
      }
      expect(seen).toHaveLength(7);
      expect(seen.toSorted()).toEqual(ids.toSorted());
    });

    it('shows and touches nothing of another team than the viewer’s', async () => {
      const id = await dead({ origin: { team: 'blue', customer: 'c', feature: 'f' } });
      const red = { team: 'red' };
      const before = await dump();
      expect(await idsOf({}, red)).toEqual([]);
      expect(await letters.find(id, red)).toBeUndefined();
      expect(await letters.plan({ ids: [id], team: ['blue'] }, red, 10)).toEqual([]);
      expect(
        await letters.replaySlice({ ids: [id] }, red, { ...operation(), limit: 10, firstMs: 0, stepMs: 0 }),
      ).toEqual([]);
      expect(await letters.discardSlice({ ids: [id] }, red, { ...operation(), limit: 10 })).toEqual([]);
      expect(await dump()).toBe(before);
      expect(await idsOf({}, { team: 'blue' })).toEqual([id]);
    });

    it('lets a message live again under its own id, and the dead worker’s fence stays worthless', async () => {
      const id = await dead();
      const [replayed] = await replay({ ids: [id] });
      expect(replayed).toMatchObject({
        id,
        stage: 'first',
        owner: 'platform',
        fence: 1,
        delayMs: 0,
        origin: { team: 'blue' },
      });
      expect(await idsOf({ discarded: 'any' })).toEqual([]);
      expect(
        await messages.finish({ id, fence: 1, result: undefined, emissions: [], outcomeLine: '{}' }),
      ).toBe(false);
      const again = await lease(id);
      expect(again).toMatchObject({ fence: 2, deliveries: 2, attempts: 0, priorAttempts: 1 });
      expect(await messages.finish({ id, fence: 2, result: '1', emissions: [], outcomeLine: '{}' })).toBe(
        true,
      );
      expect(await replay({ ids: [id] })).toEqual([]);
    });

    it('replays once, however many ask at once', async () => {
      const ids = await Promise.all(Array.from({ length: 12 }, () => dead()));
      const slices = await Promise.all(Array.from({ length: 6 }, () => replay({ ids })));
      const replayed = slices.flat().map(({ id }) => id);
      expect(replayed.toSorted()).toEqual(ids.toSorted());
      const { rows } = await database.query<{ n: number }>({
        name: 'test.n',
        text: 'select sum(affected)::int as n from millrace.operator_actions',
      });
      expect(rows[0]?.n).toBe(12);
    });

    it('keeps the history through a second death: attempts, calls, and what operators did', async () => {
      const admission = someAdmission();
      const { id } = admission.envelope;
      await messages.admit(admission);
      const first = await lease(id);
      await pay(id, first.fence, 'draft', '0.25');
      await messages.retry({
        id,
        fence: first.fence,
        delayMs: 0,
        code: 'MILLRACE_MODEL_TIMEOUT',
        detail: '{}',
      });
      await end(id, (await lease(id)).fence, 'FIRST');
      const mended = operation('the template is mended');
      await replay({ ids: [id] }, mended);
      const third = await lease(id);
      await pay(id, third.fence, 'check', '0.5', false);
      await end(id, third.fence, 'SECOND');
      const history = await letters.find(id, everyone);
      expect(history?.letter).toMatchObject({
        state: 'dead_lettered',
        errorCode: 'SECOND',
        attempts: 1,
        totalAttempts: 3,
        replays: 1,
        deliveries: 3,
      });
      expect(formatUsd(history?.letter.paidUsd ?? usd('0'))).toBe('0.75');
      expect(history?.failures.map(({ fence, code }) => [fence, code])).toEqual([
        [1, 'MILLRACE_MODEL_TIMEOUT'],
        [2, 'FIRST'],
        [3, 'SECOND'],
      ]);
      expect(history?.calls.map(({ step, fence, is_reusable }) => [step, fence, is_reusable])).toEqual([
        ['draft', 1, true],
        ['check', 3, false],
      ]);
      expect(history?.actions).toMatchObject([
        {
          id: mended.id,
          actor: 'ann',
          action: 'dead_letters.replay',
          reason: 'the template is mended',
          fence: 2,
          error_code: 'FIRST',
          attempts: 2,
        },
      ]);
      expect(history?.actions[0]?.died_at).toBeInstanceOf(Date);
    });

    it('finds one that lives again, and none that never died', async () => {
      const id = await dead();
      await replay({ ids: [id] });
      const history = await letters.find(id, everyone);
      expect(history?.letter).toMatchObject({
        state: 'pending',
        errorCode: undefined,
        diedAt: undefined,
        replays: 1,
      });
      const alive = someAdmission();
      await messages.admit(alive);
      expect(await letters.find(alive.envelope.id, everyone)).toBeUndefined();
      expect(await letters.find("' or 1=1", everyone)).toBeUndefined();
    });

    it('goes oldest death first, in slices that count as one operation, and never twice over the same message', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 5; n += 1) ids.push(await dead());
      const record = operation();
      const first = await replay({}, record, 2);
      expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      // They die again while the operation goes on: they are the next one's business.
      for (const { id } of first) await end(id, (await lease(id)).fence);
      const second = await replay({}, record, 10);
      expect(second.map(({ id }) => id)).toEqual(ids.slice(2));
      expect(await replay({}, record, 10)).toEqual([]);
      expect(await audit()).toEqual([
        {
          id: record.id,
          actor: 'ann',
          action: 'dead_letters.replay',
          target: 'dead letters',
          affected: 5,
          detail: { how: 'test' },
          reason: 'mended',
        },
      ]);
      expect((await replay({})).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    });

    it('spreads a replay over time when a rate is given, and the sweeper finds them when they are due', async () => {
      const ids = [await dead(), await dead(), await dead()];
      const replayed = await replay({}, operation(), 10, { firstMs: 1000, stepMs: 20_000 });
      expect(replayed.map(({ id, delayMs }) => [id, delayMs])).toEqual(
        ids.map((id, place) => [id, 1000 + place * 20_000]),
      );
      expect(await messages.lease(ids[2] ?? '', leaseMs)).toMatchObject({ kind: 'not_due' });
      const sweeps = new SweepLedger(database);
      expect(await sweeps.sweep(10)).toEqual([]);
      await database.execute(
        "update millrace.messages set wake_at = wake_at - interval '15 seconds', available_at = available_at - interval '15 seconds'",
      );
      expect((await sweeps.sweep(10)).map(({ id }) => id)).toEqual([ids[0]]);
    });

    it('takes a discarded one out of the counts, keeps its end, and replays it only when that is asked for', async () => {
      const id = await dead();
      const kept = await dead();
      const record = operation('a test customer');
      expect(await letters.discardSlice({ ids: [id] }, everyone, { ...record, limit: 10 })).toEqual([
        { id, stage: 'first', owner: 'platform' },
      ]);
      expect(await letters.discardSlice({ ids: [id] }, everyone, { ...operation(), limit: 10 })).toEqual([]);
      const sweeps = new SweepLedger(database);
      const deadOnes = async (all: boolean) =>
        (await sweeps.count({ all })).find(({ state }) => state === 'dead_lettered')?.count;
      expect(await deadOnes(false)).toBe(1);
      expect(await deadOnes(true)).toBe(2);
      expect(await idsOf({})).toEqual([kept]);
      expect(await idsOf({ discarded: 'only' })).toEqual([id]);
      expect(await idsOf({ discarded: 'any' })).toEqual([kept, id]);
      expect((await letters.find(id, everyone))?.letter).toMatchObject({
        state: 'dead_lettered',
        discarded: { by: 'ann', at: expect.any(Date) },
      });
      expect(await audit()).toMatchObject([
        { id: record.id, action: 'dead_letters.discard', affected: 1, reason: 'a test customer' },
      ]);
      expect(await replay({ ids: [id] })).toEqual([]);
      expect(await replay({ ids: [id], discarded: 'any' })).toHaveLength(1);
      expect((await letters.find(id, everyone))?.letter).toMatchObject({
        state: 'pending',
        discarded: undefined,
      });
    });

    it('is pruned only when it was discarded, and long enough ago; what it cost still counts', async () => {
      const admission = someAdmission();
      const { id } = admission.envelope;
      await messages.admit(admission);
      const { fence } = await lease(id);
      await pay(id, fence, 'draft', '0.25');
      await end(id, fence);
      const ages = { finishedMs: 86_400_000, exportedMs: 86_400_000 };
      await database.execute(`truncate millrace.outbox;
        update millrace.calls set settled_at = settled_at - interval '9 days';
        update millrace.messages set finished_at = finished_at - interval '9 days'`);
      expect(await prune(database, ages, 10)).toEqual({ calls: 0, messages: 0, batches: 0 });
      await letters.discardSlice({}, everyone, { ...operation(), limit: 10 });
      expect(await prune(database, ages, 10)).toEqual({ calls: 0, messages: 0, batches: 0 });
      await database.execute("update millrace.messages set discarded_at = discarded_at - interval '2 days'");
      expect(await prune(database, ages, 10)).toEqual({ calls: 1, messages: 1, batches: 0 });
      expect(formatUsd((await calls.totals()).settledUsd)).toBe('0.25');
      expect(await letters.find(id, everyone)).toBeUndefined();
      expect(await audit()).toHaveLength(1);
    });

    describe('the plan of a replay', () => {
      const succeeded = async (
        stage: string,
        costs: readonly string[],
        eventNamed = false,
      ): Promise<void> => {
        const id = eventNamed ? newId(new Date(0)) : newId(new Date());
        await messages.admit(someAdmission({ id, stage }));
        const { fence } = await lease(id);
        for (const [index, cost] of costs.entries()) await pay(id, fence, `s${index}`, cost);
        await messages.finish({ id, fence, result: undefined, emissions: [], outcomeLine: '{}' });
      };
      const deadAfter = async (
        stage: string,
        costs: readonly string[],
        failed: readonly string[] = [],
      ): Promise<void> => {
        const id = newId(new Date());
        await messages.admit(someAdmission({ id, stage }));
        const { fence } = await lease(id);
        for (const [index, cost] of costs.entries()) await pay(id, fence, `s${index}`, cost);
        for (const cost of failed) await pay(id, fence, 'lost', cost, false);
        await end(id, fence);
      };

      it('says by stage how many, what is reused, and what it costs above that', async () => {
        await succeeded('a', ['1', '3']);
        await succeeded('a', ['2'], true);
        await deadAfter('a', ['1'], ['0.5']);
        await deadAfter('a', []);
        await deadAfter('a', ['1', '3', '4']);
        await deadAfter('b', ['0.25']);
        const before = await dump();
        const plan = await letters.plan({}, everyone, 100);
        const plain = plan.map((stage) =>
          Object.fromEntries(
            Object.entries(stage).map(([key, value]) => [
              key,
              typeof value === 'object' ? formatUsd(value) : value,
            ]),
          ),
        );
        expect(plain).toEqual([
          {
            stage: 'a',
            owner: 'platform',
            count: 3,
            reusableSteps: 4,
            reusableUsd: '9',
            paidUsd: '9.5',
            sampleSize: 2,
            // On average 3 a message: 3 - 1, 3 - 0, and nothing for the one that has paid more; 4 at most.
            estimatedUsd: '5',
            dearestUsd: '7',
          },
          {
            stage: 'b',
            owner: 'platform',
            count: 1,
            reusableSteps: 1,
            reusableUsd: '0.25',
            paidUsd: '0.25',
            sampleSize: 0,
            estimatedUsd: undefined,
            dearestUsd: undefined,
          },
        ]);
        expect(await dump()).toBe(before);
        expect(await letters.plan({}, everyone, 2)).toMatchObject([{ stage: 'a', count: 2 }]);
      });

      it('counts an answer of the same place once, and takes no message of unknown price as a sample', async () => {
        const admission = someAdmission({ stage: 'a' });
        const { id } = admission.envelope;
        await messages.admit(admission);
        for (const cost of ['1', '2']) {
          const { fence } = await lease(id);
          await pay(id, fence, 'draft', cost);
          await messages.retry({ id, fence, delayMs: 0, code: 'X', detail: '{}' });
        }
        await end(id, (await lease(id)).fence);
        await succeeded('a', ['5']);
        await database.execute(`update millrace.calls set cost_usd = null where cost_usd = 5`);
        const [plan] = await letters.plan({}, everyone, 10);
        expect(plan).toMatchObject({ count: 1, reusableSteps: 1, sampleSize: 0, estimatedUsd: undefined });
        expect([formatUsd(plan?.reusableUsd ?? usd('0')), formatUsd(plan?.paidUsd ?? usd('0'))]).toEqual([
          '2',
          '3',
        ]);
      });
    });
  });
}
