import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import type { ClaimRequest, ClaimOutcome } from '../../src/engine/ledger/claims.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import type { LeasedMessage } from '../../src/engine/ledger/stored-message.ts';
import { leaseMs, LedgerHarness, someAdmission, someLedger } from '../support/ledger-fixture.ts';

interface Place {
  readonly customer?: string;
  readonly lane?: string;
  readonly stage?: string;
  readonly team?: string;
  readonly key?: string;
}

/** What claims promise, on whichever database. */
export function claimsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`claims on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;
    let ledger: MessageLedger;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database, ledger } = harness);
    });

    /** Admits messages one after another in age; answers their ids. */
    async function admit(count: number, place: Place = {}): Promise<string[]> {
      const { customer = 'acme', team = 'blue', lane = 'standard', stage = 'first', key } = place;
      const admissions = Array.from({ length: count }, () => ({
        ...someAdmission({ stage, lane, origin: { team, customer, feature: 'search' } }),
        orderKey: key,
      }));
      await Promise.all(admissions.map((admission) => ledger.admit(admission)));
      return admissions.map(({ envelope }) => envelope.id);
    }

    async function claim(
      count: number,
      options: Partial<ClaimRequest> & {
        readonly by?: MessageLedger;
        readonly tokens?: readonly string[];
      } = {},
    ): Promise<readonly ClaimOutcome[]> {
      const { by = ledger, tokens = [], ...parts } = options;
      const ask = { stage: 'first', leaseMs, ...parts };
      return await Promise.all(
        Array.from({ length: count }, (_, at) =>
          by.claim({ ...ask, about: tokens[at] ?? newId(new Date()) }),
        ),
      );
    }

    async function claimed(...asked: Parameters<typeof claim>): Promise<readonly LeasedMessage[]> {
      return (await claim(...asked)).flatMap((outcome) =>
        outcome.kind === 'leased' ? [outcome.message] : [],
      );
    }

    const finish = (message: LeasedMessage): Promise<boolean> =>
      ledger.finish({
        id: message.envelope.id,
        fencingToken: message.fencingToken,
        result: undefined,
        emissions: [],
        durationMs: 1,
      });
    const countBy = (messages: readonly LeasedMessage[], of: 'lane' | 'customer'): Record<string, number> => {
      const groups = Map.groupBy(messages, ({ envelope }) =>
        of === 'lane' ? envelope.lane : envelope.origin.customer,
      );
      return Object.fromEntries([...groups].map(([key, members]) => [key, members.length]));
    };
    const block = (scope: string, value: string): Promise<unknown> =>
      database.query(
        {
          name: 'test.block',
          text: `insert into millrace.blocks (id, scope, value, aborts, actor, reason) values ($1, $2, $3, false, 'ann', 'test')`,
        },
        [newId(new Date()), scope, value],
      );

    it('takes whichever message is oldest, whatever the token was made for', async () => {
      const [first, second] = await admit(2);
      const [message] = await claimed(1, { tokens: [second ?? ''] });
      expect(message?.envelope.id).toBe(first);
    });

    it('serves customers in turn, so that a flood gets one turn like everyone else', async () => {
      await admit(60, { customer: 'flood' });
      for (const customer of ['a', 'b', 'z']) await admit(2, { customer });
      expect(countBy(await claimed(4), 'customer')).toEqual({ flood: 1, a: 1, b: 1, z: 1 });
      // Capacity that the others leave goes to the flood.
      expect(countBy(await claimed(10), 'customer')).toEqual({ flood: 7, a: 1, b: 1, z: 1 });
    });

    it('goes on after the customer that was served last, and round again', async () => {
      for (const customer of ['a', 'b', 'c']) await admit(3, { customer });
      const served: string[] = [];
      for (let turn = 0; turn < 9; turn += 1) {
        const [message] = await claimed(1);
        served.push(message?.envelope.origin.customer ?? 'none');
      }
      expect(served.join('')).toBe('abcabcabc');
    });

    it('finds the one customer who is due among many who are not', async () => {
      const early = Array.from({ length: 300 }, (_, at) => `customer-${String(at).padStart(3, '0')}`);
      await Promise.all(early.map((customer) => admit(1, { customer })));
      await database.execute(
        `update millrace.messages set available_at = clock_timestamp() + interval '1 hour'`,
      );
      const [due] = await admit(1, { customer: 'zulu' });
      const [stray] = await claim(1, { stage: 'second', tokens: [due ?? ''] });
      expect(stray?.kind).toBe('not_due');
      expect((await claimed(1)).map(({ envelope }) => envelope.id)).toEqual([due]);
      // And when nobody is due, a token ends instead of coming back.
      expect(await claim(1, { tokens: [due ?? ''] })).toEqual([{ kind: 'leased_by_another' }]);
    });

    it('shares between lanes by weight, and gives everything to one that is alone', async () => {
      await admit(100, { lane: 'interactive' });
      await admit(100, { lane: 'bulk' });
      expect(countBy(await claimed(50), 'lane')).toEqual({ interactive: 40, bulk: 10 });
      const one: LeasedMessage[] = [];
      for (let turn = 0; turn < 20; turn += 1) one.push(...(await claimed(1)));
      expect(countBy(one, 'lane')).toEqual({ interactive: 16, bulk: 4 });
      const equal = { interactive: 1, bulk: 1 };
      expect(
        countBy(await claimed(20, { by: someLedger(database, 'other'), weights: equal }), 'lane'),
      ).toEqual({
        interactive: 10,
        bulk: 10,
      });
      expect(countBy(await claimed(200), 'lane')).toEqual({ interactive: 34, bulk: 76 });
    });

    it('answers each stage of a group with its own messages', async () => {
      const [first] = await admit(1, { stage: 'first' });
      const [second] = await admit(1, { stage: 'second' });
      const outcomes = await Promise.all([claimed(2, { stage: 'second' }), claimed(2, { stage: 'first' })]);
      expect(outcomes.map((messages) => messages.map(({ envelope }) => envelope.id))).toEqual([
        [second],
        [first],
      ]);
    });

    it('gives every message once, however many claim at once', async () => {
      const ids = (
        await Promise.all(['a', 'b', 'c', 'd'].map((customer) => admit(100, { customer })))
      ).flat();
      const workers = Array.from({ length: 6 }, (_, at) => someLedger(database, `worker-${at}`));
      const taken: LeasedMessage[] = [];
      // As tokens do that found nothing because another was just taking it: they come again.
      for (let round = 0; round < 20 && taken.length < ids.length; round += 1) {
        taken.push(...(await Promise.all(workers.map((by) => claimed(80, { by })))).flat());
      }
      expect(taken.map(({ envelope }) => envelope.id).toSorted()).toEqual(ids.toSorted());
      expect(taken.every(({ fencingToken }) => fencingToken === 1)).toBe(true);
    });

    it('gives a token up only when there is nothing for it', async () => {
      const [id = ''] = await admit(1);
      const [message] = await claimed(1);
      expect(await claim(1, { tokens: [id] })).toEqual([{ kind: 'leased_by_another' }]);
      if (message === undefined) throw new Error('it was not leased');
      await ledger.retry({
        id,
        fencingToken: message.fencingToken,
        delayMs: 60_000,
        code: 'X',
        detail: '{}',
      });
      expect(await claim(1, { tokens: [id] })).toMatchObject([{ kind: 'not_due' }]);
      await database.execute('update millrace.messages set available_at = clock_timestamp()');
      const [again] = await claimed(1);
      if (again === undefined) throw new Error('it was not leased again');
      await ledger.park({ id, fencingToken: again.fencingToken, delayMs: undefined, parkedFor: 'budget:x' });
      expect(await claim(1, { tokens: [id] })).toEqual([{ kind: 'waits' }]);
    });

    it.each([
      ['all', ''],
      ['stage', 'first'],
      ['customer', 'acme'],
      ['team', 'blue'],
      ['feature', 'search'],
      ['batch', 'night'],
    ])('leaves what is blocked by %s, and takes the rest', async (scope, value) => {
      const held = someAdmission({
        origin: { team: 'blue', customer: 'acme', feature: 'search', batch: 'night' },
      });
      const other = someAdmission({
        stage: 'second',
        origin: { team: 'red', customer: 'bolt', feature: 'chat', batch: 'day' },
      });
      const free = { ...other, envelope: { ...other.envelope, id: newId(new Date()), stage: 'first' } };
      for (const admission of [held, other, free]) await ledger.admit(admission);
      await block(scope, value);
      expect(await claim(1, { tokens: [held.envelope.id], weights: { bulk: 1 } })).toEqual([
        { kind: 'waits' },
      ]);
      const taken = [...(await claimed(2)), ...(await claimed(2, { stage: 'second' }))];
      const ids = taken.map(({ envelope }) => envelope.id);
      const expected = { all: [], stage: [other.envelope.id] }[scope] ?? [
        free.envelope.id,
        other.envelope.id,
      ];
      expect(ids).toEqual(expected);
    });

    it('is not blocked by a paused team in front of the same customer', async () => {
      await admit(100, { team: 'held' });
      const [free] = await admit(1, { team: 'free' });
      await block('team', 'held');
      expect((await claimed(1)).map(({ envelope }) => envelope.id)).toEqual([free]);
    });

    it('gives messages of one key one after another, in order, also over retries', async () => {
      const ids = await admit(5, { key: 'order-1' });
      await admit(3, { key: 'order-2' });
      const done: string[] = [];
      for (let turn = 0; turn < 12 && done.length < 5; turn += 1) {
        const messages = await claimed(8, { isOrdered: true });
        const ofKey = messages.filter((message) => message.orderKey === 'order-1');
        expect(ofKey.length).toBeLessThanOrEqual(1);
        expect(messages.length).toBeLessThanOrEqual(2);
        for (const message of messages) {
          const isFirstTry = message.attempts === 0 && turn < 2;
          const { id } = message.envelope;
          if (isFirstTry)
            await ledger.retry({
              id,
              fencingToken: message.fencingToken,
              delayMs: 0,
              code: 'X',
              detail: '{}',
            });
          else if (await finish(message)) done.push(...(ids.includes(id) ? [id] : []));
        }
      }
      expect(done).toEqual(ids);
    });

    it('never works on two of a key at once, however many claim and whatever comes late', async () => {
      const keys = ['k1', 'k2', 'k3'];
      const order = new Map<string, string[]>();
      for (const key of keys) order.set(key, await admit(12, { key }));
      const workers = Array.from({ length: 4 }, (_, at) => someLedger(database, `worker-${at}`));
      const done = new Map<string, string[]>(keys.map((key) => [key, []]));
      for (let round = 0; round < 60; round += 1) {
        const messages = (await Promise.all(workers.map((by) => claimed(6, { by, isOrdered: true })))).flat();
        expect(new Set(messages.map(({ orderKey }) => orderKey)).size).toBe(messages.length);
        await Promise.all(
          messages.map(async (message) => {
            done.get(message.orderKey ?? '')?.push(message.envelope.id);
            await finish(message);
          }),
        );
      }
      expect(done).toEqual(order);
    });

    it('makes two leases on one key into a conflict that is tried again, not into a failure', async () => {
      const [first, second] = await admit(2, { key: 'k' });
      const take = (id: string | undefined): Promise<unknown> =>
        database.query(
          { name: 'test.take', text: `update millrace.messages set state = 'leased' where id = $1::uuid` },
          [id],
        );
      await take(first);
      await expect(take(second)).rejects.toMatchObject({
        code: 'MILLRACE_DATABASE_CONFLICT',
        retryable: true,
      });
    });

    it('keeps the order in which a handler emitted', async () => {
      const [id = ''] = await admit(1);
      const [message] = await claimed(1);
      const emitted = Array.from({ length: 8 }, () => newId(new Date())).toReversed();
      await ledger.finish({
        id,
        fencingToken: message?.fencingToken ?? 0,
        result: undefined,
        emissions: emitted.map((each) => ({ ...harness.emission(each), orderKey: 'k' })),
        durationMs: 1,
      });
      const order: string[] = [];
      for (const _ of emitted) {
        const [next] = await claimed(1, { stage: 'second', isOrdered: true });
        if (next === undefined) break;
        order.push(next.envelope.id);
        await finish(next);
      }
      expect(order).toEqual(emitted);
    });

    it('does not let a long row of one key hide the others', async () => {
      await admit(900, { key: 'long' });
      await claimed(1, { isOrdered: true });
      const [other] = await admit(1, { key: 'other' });
      const taken: LeasedMessage[] = [];
      for (let turn = 0; turn < 3 && taken.length === 0; turn += 1) {
        taken.push(...(await claimed(1, { isOrdered: true })));
      }
      expect(taken.map(({ envelope }) => envelope.id)).toEqual([other]);
    });

    it('lets a replayed message go before a later one that comes back', async () => {
      const [early = '', late = ''] = await admit(2, { key: 'k' });
      // The earlier one was not there when the later one was taken.
      await database.execute(`update millrace.messages set parked_for = 'budget:x' where id = '${early}'`);
      await database.execute(
        `update millrace.messages set order_place = order_place - 9000000 where id = '${late}'`,
      );
      const [working] = await claimed(1, { isOrdered: true });
      expect(working?.envelope.id).toBe(late);
      await database.execute(
        `update millrace.messages set order_place = order_place + 9000000 where id = '${late}'`,
      );
      await database.execute(`update millrace.messages set parked_for = null where id = '${early}'`);
      expect(await claim(1, { isOrdered: true, tokens: [early] })).toEqual([{ kind: 'waits' }]);
      await ledger.retry({
        id: late,
        fencingToken: working?.fencingToken ?? 0,
        delayMs: 0,
        code: 'X',
        detail: '{}',
      });
      expect((await claimed(2, { isOrdered: true })).map(({ envelope }) => envelope.id)).toEqual([early]);
    });

    it('finds again what a claim set aside before its process died', async () => {
      const [first, second] = await admit(2, { key: 'k' });
      await claimed(1, { isOrdered: true });
      await claimed(1, { isOrdered: true });
      await database.execute(
        `update millrace.messages set state = 'completed', sweep_at = null, finished_at = clock_timestamp() where id = '${first}'`,
      );
      await database.execute(
        `update millrace.messages set sweep_at = clock_timestamp() - interval '1 s' where sweep_at is not null`,
      );
      const found = await new SweepLedger(database).sweep(10);
      expect(found.map(({ id, isParked }) => ({ id, isParked }))).toEqual([{ id: second, isParked: false }]);
      expect((await claimed(1, { isOrdered: true })).map(({ envelope }) => envelope.id)).toEqual([second]);
    });
  });
}
