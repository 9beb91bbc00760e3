import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { CallLedger, type Reservation } from '../../src/engine/ledger/call-ledger.ts';
import { reserveCalls } from '../../src/engine/ledger/call-sql.ts';
import {
  type BlockableWork,
  blockScopes,
  parkedForPause,
  stopsRequest,
  stopsWork,
} from '../../src/engine/ledger/block.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import { ParkedMessages } from '../../src/engine/ledger/parked-messages.ts';
import type { Origin } from '../../src/messages/origin.ts';
import { LedgerHarness, someAdmission, someLedger, someReservation } from '../support/ledger-fixture.ts';

const by = { actor: 'ann', reason: 'the provider bills nonsense' };

/** What holds promise, on whichever database. The database is migrated; every test begins empty. */
export function blocksContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`blocks in the ledger on ${name}`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;
    let blocks: Blocks;
    let parked: ParkedMessages;

    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
      await database.execute('truncate millrace.blocks, millrace.operator_actions');
      blocks = new Blocks({ database, clock: systemClock });
      parked = new ParkedMessages(database);
    });

    const block = (scope: (typeof blockScopes)[number], value = '', aborts = false) =>
      blocks.place({ scope, value, aborts, ...by });
    const running = async (origin = someOrigin): Promise<{ id: Uuid; fencingToken: number }> => {
      const admission = someAdmission({ origin });
      await harness.ledger.admit(admission);
      return {
        id: admission.envelope.id,
        fencingToken: (await harness.leased(admission.envelope.id)).fencingToken,
      };
    };
    const ask = (parts: Partial<Reservation> & Pick<Reservation, 'message'>) =>
      harness.calls.reserve(someReservation({ id: newId(new Date()), ...parts }));
    const audit = async () =>
      (
        await database.query({
          name: 'test.audit',
          text: 'select actor, action, target, reason, detail from millrace.operator_actions order by at, id',
        })
      ).rows;
    const admitMany = (count: number, origin: Origin) =>
      Promise.all(Array.from({ length: count }, () => harness.ledger.admit(someAdmission({ origin }))));
    const countLeased = async () =>
      (
        await database.query<{ n: number }>({
          name: 'test.leased',
          text: `select count(*)::int as n from millrace.messages where state = 'leased'`,
        })
      ).rows[0]?.n;
    const parkedFor = async (id: Uuid) =>
      (
        await database.query<{ parked_for: string | null }>(
          { name: 'test.parked_for', text: 'select parked_for from millrace.messages where id = $1::uuid' },
          [id],
        )
      ).rows[0]?.parked_for;

    it('stand once for each thing, with reason, actor and time; placing again changes them; all is audited', async () => {
      const first = await block('stage', 'first');
      expect(first).toMatchObject({
        isNew: true,
        stragglers: 0,
        block: { scope: 'stage', value: 'first', aborts: false, ...by, createdAt: expect.any(Date) },
      });
      const again = await blocks.place({
        scope: 'stage',
        value: 'first',
        aborts: true,
        actor: 'bob',
        reason: 'now',
      });
      expect(again).toEqual({
        isNew: false,
        stragglers: 0,
        block: { ...first.block, aborts: true, actor: 'bob', reason: 'now' },
      });
      expect(await blocks.list()).toEqual([{ ...again.block, waiting: 0 }]);
      expect(await blocks.read()).toMatchObject([{ id: first.block.id, ageSeconds: expect.any(Number) }]);
      expect(await blocks.remove({ id: newId(new Date()) }, by)).toBeUndefined();
      expect(await blocks.remove({ scope: 'stage', value: 'second' }, by)).toBeUndefined();
      expect(await blocks.remove({ id: first.block.id }, { actor: 'cy', reason: 'mended' })).toEqual(
        again.block,
      );
      expect(await blocks.remove({ id: first.block.id }, by)).toBeUndefined();
      expect(await blocks.list()).toEqual([]);
      expect(await audit()).toEqual([
        {
          actor: 'ann',
          action: 'pauses.place',
          target: 'stage first',
          reason: by.reason,
          detail: { scope: 'stage', value: 'first', from: null, to: { aborts: false } },
        },
        {
          actor: 'bob',
          action: 'pauses.place',
          target: 'stage first',
          reason: 'now',
          detail: {
            scope: 'stage',
            value: 'first',
            from: { aborts: false, placedBy: 'ann', placedFor: by.reason },
            to: { aborts: true },
          },
        },
        {
          actor: 'cy',
          action: 'pauses.resume',
          target: 'stage first',
          reason: 'mended',
          detail: expect.objectContaining({ pause: first.block.id, placedBy: 'bob', placedFor: 'now' }),
        },
      ]);
    });

    it('refuse every request to a paused model or provider, and tell that from a lost lease', async () => {
      const message = await running();
      const held = (await block('model', 'openai/gpt-5-mini')).block;
      expect(await ask({ message })).toEqual({ kind: 'blocked', block: held.id });
      expect(await ask({ message: undefined, origin: someOrigin })).toEqual({
        kind: 'blocked',
        block: held.id,
      });
      expect(await ask({ message, model: 'gpt-5' })).toEqual({ kind: 'reserved', at: expect.any(Date) });
      expect(await ask({ message, provider: 'azure' })).toEqual({ kind: 'reserved', at: expect.any(Date) });
      expect(await ask({ message: { ...message, fencingToken: message.fencingToken - 1 } })).toEqual({
        kind: 'lease_expired',
      });
      const provider = (await block('provider', 'azure')).block;
      expect(await ask({ message, provider: 'azure' })).toEqual({ kind: 'blocked', block: provider.id });
      await blocks.remove({ id: held.id }, by);
      expect(await ask({ message })).toEqual({ kind: 'reserved', at: expect.any(Date) });
      expect((await harness.calls.totals()).calls).toBe(3);
    });

    it('answer each of a group by itself', async () => {
      const message = await running();
      await block('model', 'openai/gpt-5-mini');
      const call = newId(new Date());
      const outcomes = await Promise.all([
        ask({ message }),
        ask({ message, model: 'gpt-5', id: call }),
        ask({ message, model: 'gpt-5', id: call }),
        ask({ message: { ...message, fencingToken: 0 } }),
        ask({ message, model: 'gpt-5' }),
      ]);
      expect(outcomes.map(({ kind }) => kind)).toEqual([
        'blocked',
        'reserved',
        'lease_expired',
        'lease_expired',
        'reserved',
      ]);
    });

    it('stop calls as the rule in code says, whatever is held and by whom the work was caused', async () => {
      const names = fc.constantFrom('blue', "o'hara", 'acme', 'first', 'night');
      const origins = fc.record(
        { team: names, customer: names, feature: names, batch: names },
        { requiredKeys: ['team', 'customer', 'feature'] },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...blockScopes),
          fc.oneof(names, fc.constantFrom('openai', 'openai/gpt-5-mini')),
          fc.boolean(),
          origins,
          fc.boolean(),
          async (scope, name, aborts, origin, hasMessage) => {
            await database.execute('truncate millrace.blocks');
            const message = hasMessage ? await running(origin) : undefined;
            const { block: held } = await block(scope, scope === 'all' ? '' : name, aborts);
            const work: BlockableWork = { stage: hasMessage ? 'first' : '', origin };
            const isBlocked =
              stopsRequest(held, { provider: 'openai', model: 'gpt-5-mini' }) ||
              (stopsWork(held, work) && (aborts || !hasMessage));
            const { kind } = await ask({ message, ...(hasMessage ? {} : { origin }) });
            expect(kind).toBe(isBlocked ? 'blocked' : 'reserved');
          },
        ),
        { numRuns: 60 },
      );
    });

    it('are exact: nothing is reserved once placing has resolved, however many ask at the time', async () => {
      // Ledgers of their own, as processes have them: their groups are written side by side.
      const ledgers = Array.from({ length: 4 }, () => new CallLedger({ database, clock: systemClock }));
      const message = await running();
      for (let round = 0; round < 20; round += 1) {
        await database.execute('truncate millrace.blocks');
        let isPlaced = false;
        const askedAfter: string[] = [];
        const keepAsking = async (ledger: CallLedger): Promise<void> => {
          for (let isLast = false; !isLast;) {
            isLast = isPlaced;
            const { kind } = await ledger.reserve(someReservation({ id: newId(new Date()), message }));
            if (isLast) askedAfter.push(kind);
          }
        };
        const askers = Promise.all(
          ledgers.flatMap((ledger) => Array.from({ length: 8 }, () => keepAsking(ledger))),
        );
        await block('provider', 'openai');
        const atAnswer = (await harness.calls.totals()).calls;
        isPlaced = true;
        await askers;
        expect(new Set(askedAfter)).toEqual(new Set(['blocked']));
        expect((await harness.calls.totals()).calls).toBe(atAnswer);
      }
    });

    it('are exact for claims too: nothing of what is blocked is claimed once placing has resolved', async () => {
      const origin = { ...someOrigin, batch: 'night' };
      const scopes = [
        ['all', ''],
        ['stage', 'first'],
        ['team', 'blue'],
        ['customer', 'acme'],
        ['feature', 'search'],
        ['batch', 'night'],
      ] as const;
      const ledgers = Array.from({ length: 4 }, (_, n) => someLedger(database, `worker-${n}`));
      for (const [scope, value] of scopes) {
        await database.execute('truncate millrace.blocks, millrace.messages');
        await admitMany(400, origin);
        let isPlaced = false;
        const claimedAfter: string[] = [];
        const keepClaiming = async (ledger: MessageLedger): Promise<void> => {
          for (let isLast = false; !isLast;) {
            isLast = isPlaced;
            const { kind } = await ledger.claim({
              stage: 'first',
              leaseMs: 60_000,
            });
            if (isLast) claimedAfter.push(kind);
          }
        };
        const claimers = Promise.all(
          ledgers.flatMap((ledger) => Array.from({ length: 4 }, () => keepClaiming(ledger))),
        );
        await block(scope, value);
        const leased = await countLeased();
        isPlaced = true;
        await claimers;
        expect(claimedAfter, scope).not.toContain('leased');
        expect(await countLeased(), scope).toBe(leased);
        expect(leased, scope).toBeLessThan(400);
      }
    });

    it('wait for a transaction that began before them, and say so when it does not end', async () => {
      // A database with one session never has two transactions at once.
      if (database.kind === 'pglite') return;
      const message = await running();
      const call = {
        ...someReservation({ id: newId(new Date()), message }),
        message_id: message.id,
        request_kind: 'single',
        request_digest: 'digest',
      };
      /** A reservation that is written, and committed when the caller says so. */
      const begin = async () => {
        const [written, committing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const ended = database.transaction(async (transaction) => {
          await transaction.query(reserveCalls, [
            JSON.stringify([{ ...call, fencing_token: message.fencingToken }]),
          ]);
          written.resolve();
          await committing.promise;
        });
        await written.promise;
        return { commit: () => (committing.resolve(), ended) };
      };
      const events: string[] = [];
      const first = await begin();
      const placing = block('provider', 'openai').then(({ stragglers }) =>
        events.push(`placed, ${stragglers} left`),
      );
      await expect.poll(() => blocks.read()).toHaveLength(1);
      for (let look = 0; look < 30; look += 1) await blocks.read();
      events.push('committing');
      await first.commit();
      await placing;
      expect(events).toEqual(['committing', 'placed, 0 left']);
      const second = await begin();
      expect((await block('provider', 'openai')).stragglers).toBe(1);
      await second.commit();
    });

    it('park due messages of a paused origin in slices, without blame, and release them by the name of the block', async () => {
      const acme: Uuid[] = [];
      for (let n = 0; n < 5; n += 1) {
        const admission = someAdmission();
        await harness.ledger.admit(admission);
        acme.push(admission.envelope.id);
      }
      const other = someAdmission({ origin: { ...someOrigin, customer: 'initech' } });
      await harness.ledger.admit(other);
      const { block: held } = await block('customer', 'acme');
      const first = await parked.parkBlocked(3);
      expect(first.parked).toEqual(Array.from({ length: 3 }, () => ({ stage: 'first', owner: 'platform' })));
      const second = await parked.parkBlocked(3, first.next);
      expect(second.parked).toHaveLength(2);
      const third = await parked.parkBlocked(3, second.next);
      expect(third).toEqual({ parked: [], next: undefined });
      const late = someAdmission();
      await harness.ledger.admit(late);
      expect((await parked.parkBlocked(3)).parked).toHaveLength(1);
      acme.push(late.envelope.id);
      expect(await parkedFor(other.envelope.id)).toBeNull();
      expect(await parkedFor(acme[0] ?? '')).toBe(parkedForPause(held.id));
      expect(await parked.names()).toEqual([parkedForPause(held.id)]);
      expect(await parked.counts()).toEqual({ pause: 6 });
      expect(await blocks.list()).toMatchObject([{ id: held.id, waiting: 6 }]);
      expect(await blocks.list({ team: 'blue' })).toEqual([]);
      await blocks.remove({ id: held.id }, by);
      const released = [
        ...(await parked.release(parkedForPause(held.id), 4)),
        ...(await parked.release(parkedForPause(held.id), 4)),
      ];
      expect(released.map(({ id }) => id).toSorted()).toEqual(acme.toSorted());
      expect(released[0]).toMatchObject({ stage: 'first', state: 'pending', origin: someOrigin });
      expect(await parked.names()).toEqual([]);
      const [oldest = ''] = acme;
      expect(await harness.stateOf(oldest)).toMatchObject({ state: 'pending', attempts: 0 });
      expect((await harness.leased(oldest)).attempts).toBe(0);
    });

    it('leave alone what is not due, ended or in hand, and what stands in nobody’s way', async () => {
      const [later, inHand] = [someAdmission(), someAdmission()];
      for (const admission of [later, inHand]) await harness.ledger.admit(admission);
      await harness.leased(inHand.envelope.id);
      await database.query(
        {
          name: 'test.later',
          text: `update millrace.messages set available_at = clock_timestamp() + interval '1 hour' where id = $1::uuid`,
        },
        [later.envelope.id],
      );
      await block('team', 'blue');
      expect(await parked.parkBlocked(10)).toEqual({ parked: [], next: undefined });
      await database.execute('truncate millrace.blocks');
      await database.execute('update millrace.messages set available_at = clock_timestamp()');
      await block('all');
      await block('stage', 'first');
      expect(await parked.parkBlocked(10)).toEqual({ parked: [], next: undefined });
      expect((await blocks.list()).map(({ waiting }) => waiting)).toEqual([1, 1]);
    });

    it('show a viewer who is bound to a team what stops everybody, and that team', async () => {
      await block('team', 'red');
      await block('team', 'blue');
      await block('customer', 'acme');
      await block('model', 'openai/gpt-5-mini');
      const shown = await blocks.list({ team: 'blue' });
      // Placed in the same moment they are in the order of their ids.
      expect(new Set(shown.map(({ scope, value }) => `${scope} ${value}`))).toEqual(
        new Set(['team blue', 'model openai/gpt-5-mini']),
      );
      expect(shown).toHaveLength(2);
    });

    it('know what the ledger has seen', async () => {
      const message = await running();
      await ask({ message });
      for (const [scope, value] of [
        ['all', ''],
        ['stage', 'first'],
        ['team', 'blue'],
        ['customer', 'acme'],
        ['feature', 'search'],
        ['provider', 'openai'],
        ['model', 'openai/gpt-5-mini'],
      ] as const) {
        expect(await blocks.isKnown({ scope, value }), scope).toBe(true);
        if (scope !== 'all') expect(await blocks.isKnown({ scope, value: `${value}!` }), scope).toBe(false);
      }
    });
  });
}

const someOrigin = { team: 'blue', customer: 'acme', feature: 'search' };
