import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { ClaimOutcome } from '../../src/engine/ledger/claims.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import type { LeasedMessage } from '../../src/engine/ledger/stored-message.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import { leaseMs, LedgerHarness } from '../support/ledger-fixture.ts';

/** What becomes of messages whose workers die, stand still, or are cut off, on whichever database. Every test begins empty. */
export function expiredLeasesContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`expired leases on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;
    let ledger: MessageLedger;
    let sweeps: SweepLedger;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database, ledger } = harness);
      sweeps = new SweepLedger(database);
    });

    /** The next message of the stage, whichever it is. */
    const claim = (token: string): Promise<ClaimOutcome> =>
      ledger.claim({ stage: 'first', leaseMs, about: token });

    const claimed = async (token: string): Promise<LeasedMessage> => {
      const outcome = await claim(token);
      if (outcome.kind !== 'leased') throw new Error(`not leased: ${outcome.kind}`);
      return outcome.message;
    };

    const isOverdue = () =>
      database.execute(
        `update millrace.messages set available_at = least(available_at, clock_timestamp()), sweep_at = clock_timestamp()`,
      );

    /** It is taken and lost, as often as is said. */
    const expire = async (id: string, times: number): Promise<void> => {
      for (let n = 0; n < times; n += 1) {
        await isOverdue();
        await harness.leased(id);
        await harness.expireLeases();
      }
    };

    it.each(['a lease ran out', 'its worker gives it up', 'its host stops', 'the only process begins anew'])(
      'leave the message its place before those that came after it, when %s',
      async (how) => {
        // Of one millisecond the lesser id is the earlier one.
        const [early = '', late = ''] = [await harness.admitted(), await harness.admitted()].toSorted();
        const taken = await claimed(early);
        expect(taken.envelope.id).toBe(early);
        if (how === 'a lease ran out') await harness.expireLeases();
        else if (how === 'its worker gives it up')
          await ledger.expire([{ id: early, fencingToken: taken.fencingToken }]);
        else if (how === 'its host stops')
          await ledger.release([{ id: early, fencingToken: taken.fencingToken, leaseMs: 0 }]);
        else await sweeps.expireAllLeases();
        const again = await claimed(late);
        expect(again.envelope.id).toBe(early);
        expect(again.availableAt).toEqual(taken.availableAt);
      },
    );

    it('are counted in a row: a release counts none, and a failure of its own ends the row', async () => {
      const id = await harness.admitted();
      await expire(id, 2);
      await isOverdue();
      const third = await harness.leased(id);
      expect(third.expiredLeases).toBe(2);
      await ledger.release([{ id, fencingToken: third.fencingToken, leaseMs: 0 }]);
      const fourth = await harness.leased(id);
      expect(fourth.expiredLeases).toBe(2);
      await ledger.retry({ id, fencingToken: fourth.fencingToken, delayMs: 0, code: 'X', detail: '{}' });
      const fifth = await harness.leased(id);
      expect(fifth).toMatchObject({ expiredLeases: 0, attempts: 1, deliveries: 5 });
    });

    it('put a pause between further runs, so that what was lost together runs apart', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 12; n += 1) ids.push(await harness.admitted());
      const pauses = async (): Promise<number[]> => {
        const { rows } = await database.query<{ ms: number }>({
          name: 'test.pauses',
          text: `select greatest(0, extract(epoch from available_at - clock_timestamp()) * 1000)::float8 as ms from millrace.messages`,
        });
        return rows.map(({ ms }) => ms);
      };
      await Promise.all(ids.map((id) => claimed(id)));
      await harness.expireLeases();
      expect(Math.max(...(await pauses()))).toBe(0);
      await database.execute('update millrace.messages set expired_leases = 4');
      await Promise.all(ids.map((id) => claimed(id)));
      await harness.expireLeases();
      const after = (await pauses()).toSorted((a, b) => a - b);
      expect(after.at(-1)).toBeGreaterThan(5000);
      expect(after.at(-1)).toBeLessThanOrEqual(162_000);
      expect(new Set(after.map((ms) => Math.round(ms / 100))).size).toBeGreaterThan(6);
      await database.execute(
        `update millrace.messages set available_at = available_at + interval '1 minute'`,
      );
      expect(await claim(ids[0] ?? '')).toMatchObject({ kind: 'not_due' });
    });

    it('pause longer after a longer run, up to a quarter of an hour', async () => {
      const longest = async (expiredLeases: number, runFor: string): Promise<number> => {
        for (let n = 0; n < 12; n += 1) await claimed(await harness.admitted());
        await database.execute(
          `update millrace.messages set expired_leases = ${expiredLeases}, leased_at = clock_timestamp() - interval '${runFor}'`,
        );
        await harness.expireLeases();
        const { rows } = await database.query<{ seconds: number }>({
          name: 'test.longest_pause',
          text: `select max(extract(epoch from available_at - clock_timestamp()))::float8 as seconds from millrace.messages`,
        });
        await database.execute('delete from millrace.messages');
        return rows[0]?.seconds ?? 0;
      };
      expect(await longest(0, '10 minutes')).toBeLessThan(1);
      // Of 12 parts by chance of 240 s, and of 900 s: all below a tenth once in a million million times.
      const afterTwo = await longest(1, '75 seconds');
      expect(afterTwo).toBeGreaterThan(24);
      expect(afterTwo).toBeLessThanOrEqual(241);
      const afterFive = await longest(4, '1 day');
      expect(afterFive).toBeGreaterThan(90);
      expect(afterFive).toBeLessThanOrEqual(900);
    });

    it('tell the queue to come when the pause is over', async () => {
      const id = await harness.admitted();
      await expire(id, 1);
      await database.execute(`update millrace.messages set expired_leases = 4`);
      await harness.leased(id);
      await database.execute(
        `update millrace.messages set lease_until = clock_timestamp() - interval '1 ms', sweep_at = clock_timestamp() - interval '1 ms'`,
      );
      const [found] = await sweeps.sweep(10);
      const { rows } = await database.query<{ ms: number }>({
        name: 'test.pause',
        text: `select extract(epoch from available_at - clock_timestamp())::float8 * 1000 as ms from millrace.messages`,
      });
      const ms = rows[0]?.ms ?? 0;
      expect(found).toMatchObject({ id, state: 'leased' });
      expect(found?.dueInMs).toBeGreaterThanOrEqual(Math.max(0, ms) - 5);
      expect(found?.dueInMs).toBeLessThanOrEqual(ms + 5000);
    });

    it('stand among what failed, with the worker that had the message', async () => {
      const id = await harness.admitted();
      await expire(id, 1);
      await harness.leased(id);
      await sweeps.expireAllLeases();
      await isOverdue();
      const { fencingToken } = await harness.leased(id);
      await ledger.expire([{ id, fencingToken: fencingToken - 1 }]);
      await ledger.expire([{ id, fencingToken }]);
      const { rows } = await database.query<{
        fencing_token: number;
        code: string;
        retryable: boolean;
        detail: string;
      }>({
        name: 'test.expired_leases',
        text: 'select fencing_token, code, retryable, detail from millrace.failures order by fencing_token',
      });
      expect(
        rows.map(({ fencing_token: fencingToken, code, retryable }) => [fencingToken, code, retryable]),
      ).toEqual([
        [1, 'MILLRACE_LEASE_EXPIRED', true],
        [2, 'MILLRACE_LEASE_EXPIRED', true],
        [3, 'MILLRACE_LEASE_EXPIRED', true],
      ]);
      for (const { detail } of rows) {
        expect(JSON.parse(detail)).toEqual({
          chain: [
            {
              code: 'MILLRACE_LEASE_EXPIRED',
              message: expect.stringMatching(/^The run was lost: worker \S+ let/),
            },
          ],
        });
      }
    });
  });
}
