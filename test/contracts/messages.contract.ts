import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import type { Admission } from '../../src/engine/ledger/message-ledger.ts';
import { MessageOperations } from '../../src/capabilities/message-operations/message-operations.ts';
import { MessageSearch } from '../../src/capabilities/message-operations/message-search.ts';
import type {
  MessageFilter,
  MessagePlace,
} from '../../src/capabilities/message-operations/message-selection.ts';
import type { MessageService } from '../../src/capabilities/message-operations/message-service.ts';
import { LedgerHarness, someAdmission, someReservation, someSettlement } from '../support/ledger-fixture.ts';
import { messageServiceOver } from '../support/message-service.ts';
import type { Viewer } from '../../src/http/operator.ts';

const operator = { actor: 'ann' };
const asked = { max: 1000, reason: 'not wanted any more', dryRun: false };

/** What finding and steering messages promise, on whichever database. The database is migrated; every test begins empty. */
export function messagesContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`messages for operators on ${name}`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;
    let search: MessageSearch;
    let operations: MessageOperations;
    let service: MessageService;
    let told: { stage: string; id: string }[];

    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
      await database.execute('truncate millrace.operator_actions');
      search = new MessageSearch(database);
      operations = new MessageOperations(database);
      told = [];
      service = messageServiceOver(database, (stage, id) => told.push({ stage, id }));
    });

    const tickedSince = async (id: Uuid): Promise<boolean> => {
      const { rows } = await database.query<{ ticked: boolean }>(
        {
          name: 'test.ticked',
          text: 'select clock_timestamp() > created_at as ticked from millrace.messages where id = $1::uuid',
        },
        [id],
      );
      return rows[0]?.ticked ?? true;
    };
    const admit = async (parts: Partial<Admission['envelope']> = {}, orderKey?: string): Promise<Uuid> => {
      const admission = { ...someAdmission(parts), orderKey };
      const { id } = admission.envelope;
      await harness.ledger.admit(admission);
      // PGlite's clock ticks once a millisecond: what comes in the same tick has no order.
      await expect.poll(() => tickedSince(id), { interval: 1 }).toBe(true);
      return id;
    };
    const idsOf = async (filter: MessageFilter, viewer: Viewer = {}) =>
      (await search.list(filter, viewer, { limit: 200 })).messages.map(({ id }) => id);
    const rowOf = async (id: Uuid) =>
      (
        await database.query(
          {
            name: 'test.row',
            text: `select state, fencing_token, error_code, parked_for, available_at <= clock_timestamp() as is_due
              from millrace.messages where id = $1::uuid`,
          },
          [id],
        )
      ).rows[0];
    const waitLater = (id: Uuid) =>
      database.query(
        {
          name: 'test.later',
          text: `update millrace.messages set available_at = clock_timestamp() + interval '1 hour' where id = $1::uuid`,
        },
        [id],
      );
    const audit = async () =>
      (
        await database.query({
          name: 'test.audit',
          text: 'select actor, action, affected, reason from millrace.operator_actions order by at, id',
        })
      ).rows;

    it('are listed newest first, each once, page by page, while others come in', async () => {
      const ids: Uuid[] = [];
      for (let n = 0; n < 25; n += 1) {
        const team = n % 3 === 0 ? 'red' : 'blue';
        ids.push(await admit({ origin: { team, customer: 'acme', feature: 'search' } }));
      }
      const seen: Uuid[] = [];
      let after: MessagePlace | undefined;
      do {
        const page = await search.list({}, {}, { limit: 4, after });
        seen.push(...page.messages.map(({ id }) => id));
        after = page.next;
        await admit();
      } while (after !== undefined);
      expect(seen).toEqual(ids.toReversed());
    });

    it('have a stable order when many were written in the same instant', async () => {
      const ids = await Promise.all(Array.from({ length: 30 }, () => admit()));
      await database.execute(`update millrace.messages set created_at = '2026-03-01T00:00:00.000123Z'`);
      const seen: Uuid[] = [];
      let after: MessagePlace | undefined;
      do {
        const page = await search.list({}, {}, { limit: 7, after });
        seen.push(...page.messages.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      expect(seen).toEqual(ids.toSorted().toReversed());
    });

    it('are found by every filter, and by several at once', async () => {
      const plain = await admit();
      const origin = { team: 'red', customer: 'zeta', feature: 'triage', batch: 'night' };
      const other = await admit({
        origin,
        stage: 'second',
        pipeline: 'tickets',
        owner: 'support',
        type: 'ticket.opened',
        eventId: 'T-17',
      });
      await harness.leased(other);
      const found: readonly [MessageFilter, readonly Uuid[]][] = [
        [{}, [other, plain]],
        [{ ids: [plain] }, [plain]],
        [{ state: ['leased'] }, [other]],
        [{ state: ['pending', 'leased'] }, [other, plain]],
        [{ stage: ['second'] }, [other]],
        [{ pipeline: ['tickets'] }, [other]],
        [{ owner: ['support'] }, [other]],
        [{ team: ['red'] }, [other]],
        [{ customer: ['zeta'] }, [other]],
        [{ feature: ['triage', 'search'] }, [other, plain]],
        [{ batch: ['night'] }, [other]],
        [{ type: ['ticket.opened'] }, [other]],
        [{ eventId: ['T-17'] }, [other]],
        [{ errorCode: ['MILLRACE_STAGE_FAILED'] }, []],
        [{ to: new Date('2020-01-01') }, []],
        [{ from: new Date('2020-01-01'), stage: ['first'] }, [plain]],
      ];
      for (const [filter, ids] of found) expect(await idsOf(filter), JSON.stringify(filter)).toEqual(ids);
    });

    it('of another team are neither found nor counted nor touched by a key of one team', async () => {
      const own = await admit();
      const origin = { team: 'red', customer: 'zeta', feature: 'search' };
      const foreign = await admit({ origin });
      await waitLater(foreign);
      const viewer = { team: 'blue' };
      expect(await idsOf({}, viewer)).toEqual([own]);
      for (const filter of [
        { team: ['red'] },
        { ids: [foreign] },
        { customer: ['zeta'] },
        { team: ['red', 'pink'] },
      ])
        expect(await search.list(filter, viewer, { limit: 10 })).toEqual({ messages: [], next: undefined });
      expect(await search.tree(foreign, viewer, 10)).toBeUndefined();
      expect(await search.body(foreign, viewer)).toBeUndefined();
      expect(await search.progress(foreign, viewer, { children: true })).toBeUndefined();
      for (const steer of ['cancel', 'retryNow'] as const) {
        for (const filter of [{ ids: [foreign] }, { team: ['red'] }]) {
          const steered = await service[steer]({ ...asked, filter }, { ...operator, ...viewer });
          expect(steered).toMatchObject({ count: 0, hasMore: false, stages: [] });
          expect(steered.skipped.map(({ reason }) => reason)).toEqual('ids' in filter ? ['unknown'] : []);
        }
      }
      expect(await rowOf(foreign)).toMatchObject({ state: 'pending', is_due: false });
      expect(await audit()).toEqual([]);
    });

    it('are looked at in bounded pages, however rare a match is', async () => {
      const rare = await admit({ stage: 'rare' });
      await database.execute(
        `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer, feature,
           item, trace_parent, body, body_bytes, state, available_at, sweep_at, created_at, admitted_at, finished_at)
         select i, i, 's', 'e', 't', 1, 'p', 'common', 'o', 'standard', 'blue', 'acme', 'search', 'x', '', '{}', 2, 'completed',
           clock_timestamp(), null, clock_timestamp(), clock_timestamp(), clock_timestamp()
         from (select gen_random_uuid() as i from generate_series(1, 5000)) n`,
      );
      const pages: number[] = [];
      const seen: Uuid[] = [];
      let after: MessagePlace | undefined;
      do {
        const page = await search.list({ stage: ['rare'] }, {}, { limit: 10, after });
        pages.push(page.messages.length);
        seen.push(...page.messages.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      expect(seen).toEqual([rare]);
      expect(pages).toEqual([0, 0, 1]);
    });

    it('stand in a tree with timings and cost, from whichever of them is asked for', async () => {
      const root = await admit();
      const { fencingToken } = await harness.leased(root);
      const call = newId(new Date());
      await harness.calls.reserve(someReservation({ id: call, message: { id: root, fencingToken } }));
      await harness.calls.settle(someSettlement({ id: call }));
      const child = newId(new Date());
      await harness.ledger.finish({
        id: root,
        fencingToken,
        result: '{"ok":true}',
        emissions: [harness.emission(child)],
        durationMs: 1,
      });
      await admit();
      for (const id of [root, child]) {
        expect(await service.tree(id, {})).toMatchObject({
          rootId: root,
          isCut: false,
          messages: [
            { id: root, state: 'completed', calls: 1, waitMs: expect.any(Number), runMs: expect.any(Number) },
            { id: child, parentId: root, stage: 'second', state: 'pending', calls: 0, costUsd: '0' },
          ],
        });
      }
      expect(await search.tree(root, {}, 1)).toMatchObject({ messages: [{ id: root }], isCut: true });
      expect(await search.progress(root, {}, { children: false })).toMatchObject({
        state: 'completed',
        open: 0,
      });
      expect(await search.progress(root, {}, { children: true })).toMatchObject({ messages: 2, open: 1 });
      expect(await search.progress(child, {}, { children: true })).toMatchObject({ messages: 1, open: 1 });
    });

    it('are cancelled in every open state, told to the column store once, and noted with who and why', async () => {
      const pending = await admit();
      const parked = await admit();
      await database.query(
        {
          name: 'test.park',
          text: `update millrace.messages set parked_for = 'budget:x', sweep_at = 'infinity' where id = $1::uuid`,
        },
        [parked],
      );
      const running = await admit();
      const { fencingToken } = await harness.leased(running);
      await database.execute(`update millrace.messages set parked_for = null where parked_for = 'test'`);
      const ended = await admit();
      const lease = await harness.leased(ended);
      await harness.ledger.finish({
        id: ended,
        fencingToken: lease.fencingToken,
        result: undefined,
        emissions: [],
        durationMs: 1,
      });
      const before = (await harness.outbox('message_outcomes')).length;
      const ids = [pending, parked, running, ended, newId(new Date())];
      const plan = await service.cancel({ ...asked, filter: { ids }, dryRun: true }, operator);
      expect(plan).toMatchObject({ dryRun: true, count: 3 });
      expect(plan.actionId).toBeUndefined();
      expect(await rowOf(pending)).toMatchObject({ state: 'pending' });
      const result = await service.cancel({ ...asked, filter: { ids } }, operator);
      expect(result).toMatchObject({
        count: 3,
        hasMore: false,
        actionId: expect.any(String),
        stages: [{ stage: 'first', owner: 'platform', count: 3 }],
        skipped: [{ reason: 'ended' }, { reason: 'unknown' }],
      });
      for (const id of [pending, parked, running])
        expect(await rowOf(id)).toMatchObject({
          state: 'cancelled',
          error_code: 'MILLRACE_MESSAGE_CANCELLED',
          parked_for: null,
        });
      const lines = (await harness.outbox('message_outcomes')).slice(before);
      expect(lines.map((line) => JSON.parse(line))).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ message_id: pending, outcome: 'cancelled', attempts: 0 }),
          expect.objectContaining({ message_id: parked, outcome: 'cancelled' }),
          expect.objectContaining({ message_id: running, outcome: 'cancelled', attempts: 1 }),
        ]),
      );
      expect(lines).toHaveLength(3);
      expect(await audit()).toEqual([
        { actor: 'ann', action: 'messages.cancel', affected: 3, reason: asked.reason },
      ]);
      // The run that was in hand changes nothing any more, and begins no further call.
      const finish = { id: running, fencingToken, result: undefined, emissions: [], durationMs: 1 };
      expect(await harness.ledger.finish(finish)).toBe(false);
      expect(await harness.ledger.finish({ ...finish, fencingToken: fencingToken + 1 })).toBe(false);
      expect(
        await harness.calls.reserve(
          someReservation({ id: newId(new Date()), message: { id: running, fencingToken } }),
        ),
      ).toEqual({ kind: 'lease_expired' });
      expect(
        await operations.cancelledAmong([
          { id: running, fencingToken },
          { id: ended, fencingToken: lease.fencingToken },
        ]),
      ).toEqual(new Set([running]));
    });

    it('settle the calls that were in the air when they were cancelled', async () => {
      const id = await admit();
      const { fencingToken } = await harness.leased(id);
      const call = newId(new Date());
      await harness.calls.reserve(someReservation({ id: call, message: { id, fencingToken } }));
      await service.cancel({ ...asked, filter: { ids: [id] } }, operator);
      await harness.calls.settle(someSettlement({ id: call }));
      expect(await harness.outbox('usage')).toHaveLength(1);
      expect((await search.list({ ids: [id] }, {}, { limit: 1 })).messages[0]?.calls).toBe(1);
    });

    it('let the next of their order key go on when they are cancelled, also several of one key at once', async () => {
      const keyed: Uuid[] = [];
      for (let n = 0; n < 4; n += 1) keyed.push(await admit({}, 'K'));
      const [first = '', second = '', third = '', last = ''] = keyed;
      await database.execute(
        `update millrace.messages set parked_for = 'order' where id <> '${first}'::uuid and order_key = 'K'`,
      );
      await service.cancel({ ...asked, filter: { ids: [first, second] } }, operator);
      expect(await rowOf(third)).toMatchObject({ state: 'pending', parked_for: null });
      expect(await rowOf(last)).toMatchObject({ state: 'pending', parked_for: 'order' });
      expect(told.map(({ id }) => id).toSorted()).toEqual([first, second].toSorted());
      const lease = await harness.leased(third);
      await service.cancel({ ...asked, filter: { ids: [third] } }, operator);
      expect(
        await harness.ledger.finish({
          id: third,
          fencingToken: lease.fencingToken,
          result: undefined,
          emissions: [],
          durationMs: 1,
        }),
      ).toBe(false);
      expect(await rowOf(last)).toMatchObject({ state: 'pending', parked_for: null });
    });

    it('are cancelled by filter up to a maximum, oldest first, and the rest by asking again', async () => {
      const ids: Uuid[] = [];
      for (let n = 0; n < 5; n += 1) ids.push(await admit({ stage: n === 1 ? 'second' : 'first' }));
      const filter = { stage: ['first'] };
      const some = await service.cancel({ ...asked, filter, max: 2 }, operator);
      expect(some).toMatchObject({ count: 2, hasMore: true });
      expect(await idsOf({ state: ['cancelled'] })).toEqual([ids[2], ids[0]]);
      const rest = await service.cancel({ ...asked, filter }, operator);
      expect(rest).toMatchObject({ count: 2, hasMore: false });
      expect(await idsOf({ state: ['pending'] })).toEqual([ids[1]]);
    });

    it('are due now when they waited for a time, and their stage is told', async () => {
      const later = await admit();
      await waitLater(later);
      const held = await admit();
      await database.query(
        {
          name: 'test.block',
          text: `update millrace.messages set parked_for = 'pause:x', sweep_at = 'infinity' where id = $1::uuid`,
        },
        [held],
      );
      const due = await admit();
      const dead = await admit();
      await database.query(
        {
          name: 'test.die',
          text: `update millrace.messages set state = 'dead_lettered', sweep_at = null, finished_at = clock_timestamp() where id = $1::uuid`,
        },
        [dead],
      );
      const request = { ...asked, filter: { ids: [later, held, due, dead] } };
      expect(await service.retryNow({ ...request, dryRun: true }, operator)).toMatchObject({ count: 1 });
      expect(await rowOf(later)).toMatchObject({ is_due: false });
      const result = await service.retryNow(request, operator);
      expect(result).toMatchObject({ count: 1, hasMore: false });
      expect(result.skipped.map(({ id, reason }) => [id, reason])).toEqual([
        [held, 'waits'],
        [due, 'due'],
        [dead, 'dead_lettered'],
      ]);
      expect(result.skipped[2]?.todo).toContain('replay');
      expect(await rowOf(later)).toMatchObject({ state: 'pending', is_due: true, fencing_token: 1 });
      expect(told).toEqual([{ stage: 'first', id: later }]);
      expect(await audit()).toEqual([
        { actor: 'ann', action: 'messages.retry', affected: 1, reason: asked.reason },
      ]);
      expect((await harness.leased(later)).fencingToken).toBe(2);
    });
  });
}
