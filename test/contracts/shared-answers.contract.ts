import { beforeEach, describe, expect, it } from 'vitest';
import { SharedAnswerReleases } from '../../src/capabilities/batches/sharing/shared-answer-releases.ts';
import { SharedAnswers, sharedWaitPrefix } from '../../src/capabilities/batches/sharing/shared-answers.ts';
import type { ShareScope } from '../../src/capabilities/batches/batch-settings.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { SharedCourse } from '../../src/engine/calls/call-sharing.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { eraseMessages } from '../../src/capabilities/erasure/erasure-sql.ts';
import { LedgerHarness, someReservation, someSettlement } from '../support/ledger-fixture.ts';

/** What is promised of requests that are answered once, on whichever database. */
export function sharedAnswersContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`identical requests of a batch on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;
    let share: ShareScope;
    const batch = newId(new Date());
    const customerOf = new Map<string, string>();

    /** One process. */
    const process = (): SharedAnswers =>
      new SharedAnswers({
        database,
        clock: systemClock,
        modes: {
          find: () =>
            Promise.resolve({
              id: batch,
              mode: 'online',
              share,
              state: 'running',
              beganAt: new Date(),
              deadline: undefined,
            }),
        },
      });
    const ask = (message: string, occurrence = 1, by = process()): Promise<SharedCourse> =>
      by.courseOf({
        origin: {
          team: 'blue',
          customer: customerOf.get(message) ?? 'acme',
          feature: 'search',
          batch: 'nightly',
        },
        messageId: message,
        rootId: message,
        step: 'answer',
        ordinal: occurrence,
        digest: 'digest',
        fingerprint: 'fingerprint',
        occurrence,
      });
    const courses = async (...messages: readonly string[]): Promise<readonly string[]> => {
      const by = process();
      const all = await Promise.all(messages.map((message) => ask(message, 1, by)));
      return all.map(({ kind }) => kind);
    };
    const running = async (count: number): Promise<string[]> => {
      const ids = await Promise.all(Array.from({ length: count }, () => harness.admitted()));
      await execute(`update millrace.messages set state = 'leased', fencing_token = 1, attempts = 0,
        leased_at = clock_timestamp(), lease_until = clock_timestamp() + interval '1 hour' where state = 'pending'`);
      return ids.toSorted();
    };
    const execute = async (text: string): Promise<void> => {
      await database.execute(text);
    };
    const call = async (message: string, parts: Parameters<typeof someSettlement>[0] | undefined) => {
      const id = parts?.id ?? newId(new Date());
      await harness.calls.reserve(
        someReservation({ id, message: { id: message, fencingToken: 1 }, ordinal: 1 }),
      );
      if (parts !== undefined) await harness.calls.settle(someSettlement(parts));
      return id;
    };
    const end = (id: string, state: string) =>
      execute(
        `update millrace.messages set state = '${state}', lease_until = null, sweep_at = null, finished_at = clock_timestamp() where id = '${id}'`,
      );
    const park = (id: string, parkedFor: string) =>
      execute(
        `update millrace.messages set state = 'pending', lease_until = null, parked_for = '${parkedFor}' where id = '${id}'`,
      );
    const release = async (): Promise<readonly string[]> => {
      const released: string[] = [];
      const publisher = {
        notify: (_stage: string, id: string) => void released.push(id),
        drain: () => Promise.resolve(),
      };
      const releases = new SharedAnswerReleases(database, publisher);
      while (await releases.turn());
      return released.toSorted();
    };

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database } = harness);
      share = 'team';
      customerOf.clear();
      await execute(`delete from millrace.batches; insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, actor)
        values ('${batch}', 'blue', 'nightly', 'acme', 'search', 'default', 'thing', 1, '{}', 'running', 'test')`);
    });

    it('are made by the first, awaited by the others, and answered when its call has its answer', async () => {
      const [first = '', second = '', third = ''] = await running(3);
      expect(await courses(first)).toEqual(['own']);
      expect(await courses(second, first, third)).toEqual(['awaited', 'own', 'awaited']);
      await park(second, `${sharedWaitPrefix}${batch}`);
      const id = await call(first, undefined);
      expect(await release()).toEqual([]);
      await harness.calls.settle(someSettlement({ id, answer: { json: '"yes"' } }));
      // The third is being worked on, and may be about to wait.
      expect(await release()).toEqual([second]);
      await park(third, `${sharedWaitPrefix}${batch}`);
      expect(await release()).toEqual([third]);
      expect(await ask(second)).toMatchObject({ kind: 'answered', callId: id, answer: { json: '"yes"' } });
      const { rows } = await database.query<{ message_id: string; call_id: string }>({
        name: 'test.shared',
        text: 'select message_id, call_id from millrace.batch_shared_answers order by message_id',
      });
      expect(rows).toEqual([{ message_id: second, call_id: id }]);
    });

    it('are made by another when the leader has ended without an answer, and by each alone when three have', async () => {
      const ids = await running(6);
      const [one = '', two = '', three = '', ...rest] = ids;
      await courses(one, ...ids.slice(1));
      for (const id of ids.slice(1)) await park(id, `${sharedWaitPrefix}${batch}`);
      await call(one, {
        id: newId(new Date()),
        outcome: 'error',
        errorType: 'bad_request',
        answer: undefined,
      });
      await end(one, 'dead_lettered');
      // One of those that wait goes on, and leads.
      expect(await release()).toEqual([two]);
      expect(await courses(two, three)).toEqual(['own', 'awaited']);
      await end(two, 'cancelled');
      expect(await release()).toEqual([three]);
      expect(await courses(three)).toEqual(['own']);
      await end(three, 'dead_lettered');
      expect(await release()).toEqual(rest);
      expect(await courses(...rest)).toEqual(rest.map(() => 'own'));
    });

    it('are made by another when the leader itself waits, and by one of the two alone', async () => {
      const [one = '', two = '', three = ''] = await running(3);
      expect(await courses(one)).toEqual(['own']);
      expect(await courses(two)).toEqual(['awaited']);
      await park(one, 'pause:1');
      expect(await courses(two, three)).toEqual(['own', 'awaited']);
      await execute(`update millrace.messages set state = 'leased', parked_for = null where id = '${one}'`);
      expect(await courses(one)).toEqual(['awaited']);
      // A leader that waits for its own call leads on.
      await call(two, undefined);
      await park(two, `${sharedWaitPrefix}${batch}`);
      expect(await courses(one, three)).toEqual(['awaited', 'awaited']);
    });

    it('are led by one, however many processes ask at once for what is vacant', async () => {
      const ids = await running(12);
      const [one = '', ...others] = ids;
      await courses(one);
      await end(one, 'dead_lettered');
      const all = await Promise.all(others.map((id) => ask(id, 1, process())));
      expect(all.filter(({ kind }) => kind === 'own')).toHaveLength(1);
      expect(all.filter(({ kind }) => kind === 'awaited')).toHaveLength(10);
    });

    // One connection has nobody to wait for.
    it.skipIf(name !== 'PostgreSQL')(
      'are led by one, though several have seen the same leader end',
      async () => {
        const ids = await running(4);
        const [one = '', ...others] = ids;
        await courses(one);
        await end(one, 'dead_lettered');
        const locked = Promise.withResolvers<void>();
        const holding = database.transaction(async (transaction) => {
          await transaction.execute('select 1 from millrace.batch_questions for update');
          locked.resolve();
          const waiting = async (): Promise<number> => {
            const { rows } = await transaction.query<{ count: number }>({
              name: 'test.waiting',
              text: `select count(*)::int as count from pg_locks where not granted`,
            });
            return rows[0]?.count ?? 0;
          };
          await expect.poll(waiting).toBe(3);
        });
        await locked.promise;
        const all = await Promise.all(others.map((id) => ask(id, 1, process())));
        await holding;
        expect(all.map(({ kind }) => kind).toSorted()).toEqual(['awaited', 'awaited', 'own']);
      },
    );

    it('are asked anew by a message that rejects the answer, which stays for the others', async () => {
      const [one = '', two = '', three = ''] = await running(3);
      await courses(one);
      const id = await call(one, { id: newId(new Date()) });
      const given = await ask(two);
      if (given.kind !== 'answered') throw new Error('The answer is there.');
      await given.reject();
      expect(await courses(two, three)).toEqual(['own', 'answered']);
      const [recorded] = await harness.calls.callsOf(one);
      expect(recorded).toMatchObject({ id, isInvalidated: false });
    });

    it('leave no digest behind when their messages are erased', async () => {
      const [one = '', two = ''] = await running(2);
      await courses(one);
      const id = await call(one, { id: newId(new Date()) });
      await courses(two);
      for (const message of [one, two]) {
        await end(message, 'completed');
        const none = '00000000-0000-0000-0000-000000000000';
        await database.query(eraseMessages, [null, null, message, 'nobody', none, 10]);
      }
      const { rows } = await database.query({
        name: 'test.digests',
        text: `select s.call_id, s.fingerprint like 'erased %' as is_erased, (select count(*)::int from millrace.batch_questions) as questions
          from millrace.batch_shared_answers s`,
      });
      expect(rows).toEqual([{ call_id: id, is_erased: true, questions: 0 }]);
    });

    it('are not answered by what their leader rejected', async () => {
      const [one = '', two = ''] = await running(2);
      await courses(one);
      await call(one, { id: newId(new Date()), isInvalidated: true });
      expect(await courses(two, one)).toEqual(['awaited', 'own']);
    });

    it('are shared among the items of a customer, or of a team, as the batch says, and each of a run by itself', async () => {
      const [one = '', two = ''] = await running(2);
      customerOf.set(two, 'beta');
      share = 'customer';
      expect(await courses(one, two)).toEqual(['own', 'own']);
      share = 'none';
      expect(await courses(one, two)).toEqual(['own', 'own']);
      share = 'team';
      expect(await courses(one, two)).toEqual(['own', 'awaited']);
      // Who asks the same twice gets two answers.
      expect((await ask(one, 2)).kind).toBe('own');
    });
  });
}
