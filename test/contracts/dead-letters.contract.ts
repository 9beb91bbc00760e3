import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import type { DeadLetterFilter } from '../../src/capabilities/dead-letters/dead-letter.ts';
import { DeadLetters } from '../../src/capabilities/dead-letters/dead-letters.ts';
import { LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';
import { claimOf } from '../support/ledger-fixture.ts';
import { pruneAll } from '../support/prune-all.ts';

const everyone = {};

/** What the ledger promises about dead letters, on whichever database. */
export function deadLettersContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`dead letters on ${name}`, () => {
    let database: SqlDatabase;
    let fixture: DeadLetterFixture;
    let letters: DeadLetters;

    beforeEach(async () => {
      database = await open();
      fixture = new DeadLetterFixture(database);
      letters = new DeadLetters(database);
      await fixture.clear();
    });

    const replay = (
      filter: DeadLetterFilter,
      record = fixture.operation(),
      limit = 100,
      rate = { firstMs: 0, stepMs: 0 },
    ) => letters.replaySlice(filter, everyone, { ...record, limit, ...rate });

    const idsOf = async (filter: DeadLetterFilter, viewer = everyone): Promise<string[]> => {
      const { letters: found } = await letters.list(filter, viewer, { limit: 100 });
      return found.map(({ envelope }) => envelope.id);
    };

    it('lists what is dead by every filter, newest death first, and nothing else', async () => {
      const alive = await fixture.admit();
      const first = await fixture.dead(
        {
          stage: 'a',
          pipeline: 'p',
          owner: 'own',
          origin: { team: 'blue', customer: 'c1', feature: 'f1', batch: 'b1' },
        },
        'X',
      );
      const second = await fixture.dead(
        { stage: 'b', origin: { team: 'red', customer: 'c2', feature: 'f2' } },
        'Y',
      );
      expect(await idsOf({})).toEqual([second, first]);
      const filters: DeadLetterFilter[] = [
        { ids: [first, alive] },
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
      for (let n = 0; n < 7; n += 1) ids.push(await fixture.dead());
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
      const id = await fixture.dead({ origin: { team: 'blue', customer: 'c', feature: 'f' } });
      const red = { team: 'red' };
      const before = await fixture.dump();
      expect(await idsOf({}, red)).toEqual([]);
      expect(await letters.find(id, red)).toBeUndefined();
      expect(await letters.plan({ ids: [id], team: ['blue'] }, red, 10)).toEqual([]);
      expect(
        await letters.replaySlice({ ids: [id] }, red, {
          ...fixture.operation(),
          limit: 10,
          firstMs: 0,
          stepMs: 0,
        }),
      ).toEqual([]);
      expect(await letters.discardSlice({ ids: [id] }, red, { ...fixture.operation(), limit: 10 })).toEqual(
        [],
      );
      expect(await fixture.dump()).toBe(before);
      expect(await idsOf({}, { team: 'blue' })).toEqual([id]);
    });

    it('lets a message live again under its own id, and the dead worker’s fencing token stays worthless', async () => {
      const id = await fixture.dead();
      const [replayed] = await replay({ ids: [id] });
      expect(replayed).toMatchObject({
        id,
        stage: 'first',
        owner: 'platform',
        fencingToken: 1,
        delayMs: 0,
        origin: { team: 'blue' },
      });
      expect(await idsOf({ discarded: 'any' })).toEqual([]);
      expect(
        await fixture.messages.finish({
          id,
          fencingToken: 1,
          result: undefined,
          emissions: [],
          durationMs: 1,
        }),
      ).toBe(false);
      const again = await fixture.lease(id);
      expect(again).toMatchObject({
        fencingToken: 2,
        deliveries: 2,
        attempts: 0,
        priorAttempts: 1,
        expiredLeases: 0,
      });
      expect(
        await fixture.messages.finish({ id, fencingToken: 2, result: '1', emissions: [], durationMs: 1 }),
      ).toBe(true);
      expect(await replay({ ids: [id] })).toEqual([]);
    });

    it('replays once, however many ask at once', async () => {
      const ids = await Promise.all(Array.from({ length: 12 }, () => fixture.dead()));
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
      const id = await fixture.admit();
      const first = await fixture.lease(id);
      await fixture.pay(id, first.fencingToken, 'draft', '0.25');
      await fixture.messages.retry({
        id,
        fencingToken: first.fencingToken,
        delayMs: 0,
        code: 'MILLRACE_MODEL_TIMEOUT',
        detail: '{}',
      });
      await fixture.end(id, (await fixture.lease(id)).fencingToken, 'FIRST');
      const mended = fixture.operation('the template is mended');
      await replay({ ids: [id] }, mended);
      const third = await fixture.lease(id);
      await fixture.pay(id, third.fencingToken, 'check', '0.5', false);
      await fixture.end(id, third.fencingToken, 'SECOND');
      await database.execute(`update millrace.calls set fallback_from = 'a/meant' where step = 'check'`);
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
      expect(history?.failures.map(({ fencing_token: fencingToken, code }) => [fencingToken, code])).toEqual([
        [1, 'MILLRACE_MODEL_TIMEOUT'],
        [2, 'FIRST'],
        [3, 'SECOND'],
      ]);
      expect(history?.calls).toMatchObject([
        { step: 'draft', fencing_token: 1, is_reusable: true, fallback_from: null },
        { step: 'check', fencing_token: 3, is_reusable: false, fallback_from: 'a/meant' },
      ]);
      expect(history?.actions).toMatchObject([
        {
          id: mended.id,
          actor: 'ann',
          action: 'dead_letters.replay',
          reason: 'the template is mended',
          fencing_token: 2,
          error_code: 'FIRST',
          attempts: 2,
        },
      ]);
      expect(history?.actions[0]?.died_at).toBeInstanceOf(Date);
    });

    it('finds one that lives again, and none that never died', async () => {
      const id = await fixture.dead();
      await replay({ ids: [id] });
      const history = await letters.find(id, everyone);
      expect(history?.letter).toMatchObject({
        state: 'pending',
        errorCode: undefined,
        diedAt: undefined,
        replays: 1,
      });
      const alive = await fixture.admit();
      expect(await letters.find(alive, everyone)).toBeUndefined();
      expect(await letters.find("' or 1=1", everyone)).toBeUndefined();
    });

    it('goes oldest death first, in slices that count as one operation, and never twice over the same message', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 5; n += 1) ids.push(await fixture.dead());
      const record = fixture.operation();
      const first = await replay({}, record, 2);
      expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      // They die again while the operation goes on: they are the next one's business.
      for (const { id } of first) await fixture.end(id, (await fixture.lease(id)).fencingToken);
      const second = await replay({}, record, 10);
      expect(second.map(({ id }) => id)).toEqual(ids.slice(2));
      expect(await replay({}, record, 10)).toEqual([]);
      expect(await fixture.audit()).toEqual([
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

    it('spreads a replay over time when a rate is given, and each is found waiting when it is due', async () => {
      const ids = [await fixture.dead(), await fixture.dead(), await fixture.dead()];
      const replayed = await replay({}, fixture.operation(), 10, { firstMs: 1000, stepMs: 20_000 });
      expect(replayed.map(({ id, delayMs }) => [id, delayMs])).toEqual(
        ids.map((id, place) => [id, 1000 + place * 20_000]),
      );
      expect(await claimOf(database, fixture.messages, ids[2] ?? '', 60_000)).toMatchObject({
        kind: 'not_due',
      });
      const counts = new LedgerCounts(database);
      const ready = async (): Promise<number> =>
        (await counts.read()).find(({ kind }) => kind === 'ready')?.count ?? 0;
      expect(await ready()).toBe(0);
      await database.execute(
        "update millrace.messages set available_at = available_at - interval '15 seconds'",
      );
      expect(await ready()).toBe(1);
      expect(await counts.listWaitingStages(['first'])).toEqual([
        { stage: 'first', seconds: expect.any(Number) },
      ]);
    });

    it('takes a discarded one out of the counts, keeps its end, and replays it only when that is asked for', async () => {
      const id = await fixture.dead();
      const kept = await fixture.dead();
      const record = fixture.operation('a test customer');
      expect(await letters.discardSlice({ ids: [id] }, everyone, { ...record, limit: 10 })).toEqual([
        { id, stage: 'first', owner: 'platform' },
      ]);
      expect(
        await letters.discardSlice({ ids: [id] }, everyone, { ...fixture.operation(), limit: 10 }),
      ).toEqual([]);
      const counts = await new LedgerCounts(database).read();
      expect(new Map(counts.map(({ kind, count }) => [kind, count]))).toEqual(
        new Map([
          ['dead', 1],
          ['discarded', 1],
        ]),
      );
      expect(await idsOf({})).toEqual([kept]);
      expect(await idsOf({ discarded: 'only' })).toEqual([id]);
      expect(await idsOf({ discarded: 'any' })).toEqual([kept, id]);
      expect((await letters.find(id, everyone))?.letter).toMatchObject({
        state: 'dead_lettered',
        discarded: { by: 'ann', at: expect.any(Date) },
      });
      expect(await fixture.audit()).toMatchObject([
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
      const id = await fixture.admit();
      const { fencingToken } = await fixture.lease(id);
      await fixture.pay(id, fencingToken, 'draft', '0.25');
      await fixture.end(id, fencingToken);
      const ages = { finishedMs: 86_400_000, exportedMs: 86_400_000 };
      await database.execute(`truncate millrace.outbox;
        update millrace.calls set settled_at = settled_at - interval '9 days';
        update millrace.messages set created_at = created_at - interval '9 days', finished_at = finished_at - interval '9 days'`);
      expect(await pruneAll(database, ages, 10)).toEqual({ calls: 0, messages: 0, batches: 0, windows: 0 });
      await letters.discardSlice({}, everyone, { ...fixture.operation(), limit: 10 });
      expect(await pruneAll(database, ages, 10)).toEqual({ calls: 0, messages: 0, batches: 0, windows: 0 });
      await database.execute("update millrace.messages set discarded_at = discarded_at - interval '2 days'");
      expect(await pruneAll(database, ages, 10)).toEqual({ calls: 1, messages: 1, batches: 0, windows: 0 });
      expect(formatUsd((await fixture.calls.totals()).settledUsd)).toBe('0.25');
      expect(await letters.find(id, everyone)).toBeUndefined();
      expect(await fixture.audit()).toHaveLength(1);
    });
  });
}
