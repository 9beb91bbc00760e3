import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import type { Emission } from '../../src/engine/ledger/message-changes.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import { claimOf, LedgerHarness, leaseMs, someAdmission, someLedger } from '../support/ledger-fixture.ts';

/** What the ledger promises about messages that are leased in the commit that writes them, on whichever database. */
export function handOverContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`messages that are handed over on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database } = harness);
    });

    /** Finishes a message that emits these; answers which of them are leased. */
    async function finish(...parts: readonly Partial<Emission>[]) {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      const emissions = parts.map((part) => ({ ...harness.emission(newId(new Date())), leaseMs, ...part }));
      const outcome = await harness.ledger.finishAndLease({
        id,
        fencingToken,
        result: undefined,
        emissions,
        durationMs: 1,
      });
      expect(outcome.isOurs).toBe(true);
      return { ids: emissions.map((emission) => emission.id), leased: outcome.leased };
    }

    const isLeased = async (...parts: readonly Partial<Emission>[]) => {
      const { ids, leased } = await finish(...parts);
      return ids.map((id) => leased.has(id));
    };

    it('count as lost once their worker has renewed the lease, or says so itself, or has handed them back', async () => {
      const written = async (): Promise<string> => {
        const admission = { ...someAdmission({ stage: newId(new Date()) }), leaseMs: 15_000 };
        expect((await harness.ledger.admitAndLease([admission])).leased).toBeDefined();
        return admission.envelope.id;
      };
      const expire = async (id: string): Promise<void> => {
        await database.execute(
          `update millrace.messages set lease_until = clock_timestamp() - interval '2 s', sweep_at = clock_timestamp() - interval '1 s' where id = '${id}'`,
        );
        await new SweepLedger(database).sweep(10);
      };
      const [unknown, renewed, told, parked] = [
        await written(),
        await written(),
        await written(),
        await written(),
      ];
      const lost = async (id: string) => (await harness.leased(id)).expiredLeases;
      await expire(unknown);
      expect(await lost(unknown)).toBe(0);
      expect((await harness.ledger.renew([{ id: renewed, fencingToken: 1, leaseMs: 15_000 }])).size).toBe(1);
      await expire(renewed);
      expect(await lost(renewed)).toBe(1);
      await harness.ledger.expire([{ id: told, fencingToken: 1 }]);
      expect(await lost(told)).toBe(1);
      await harness.ledger.park({ id: parked, fencingToken: 1, delayMs: 0, parkedFor: undefined });
      await harness.leased(parked);
      await expire(parked);
      expect(await lost(parked)).toBe(1);
    });

    it('are leased to the worker that finishes, by their first fencing token, and to nobody else', async () => {
      const { ids, leased } = await finish({}, { leaseMs: undefined });
      const [first = '', second = ''] = ids;
      expect([...leased.keys()]).toEqual([first]);
      const { rows } = await database.query({
        name: 'test.leased',
        text: `select state, fencing_token, deliveries, leased_by, created_at, available_at, lease_until > clock_timestamp() as runs,
          sweep_at > lease_until as is_swept_later, leased_at is not null as has_begun from millrace.messages where id = '${first}'`,
      });
      const { createdAt, availableAt } = leased.get(first) ?? {};
      expect(rows).toEqual([
        {
          state: 'leased',
          fencing_token: 1,
          deliveries: 1,
          leased_by: 'worker-1',
          created_at: createdAt,
          available_at: availableAt,
          runs: true,
          is_swept_later: true,
          has_begun: true,
        },
      ]);
      const other = someLedger(database, 'worker-2');
      expect(await claimOf(database, other, first, leaseMs)).toEqual({ kind: 'leased_by_another' });
      const end = { result: undefined, emissions: [], durationMs: 1 };
      expect(await harness.ledger.finish({ id: first, fencingToken: 1, ...end })).toBe(true);
      expect(await harness.stateOf(second)).toMatchObject({ state: 'pending', fencing_token: 0 });
    });

    it('are, when they are admitted, leased to the process that admits them, once, and not when others wait', async () => {
      const admission = { ...someAdmission({ stage: 'second' }), leaseMs };
      const { id } = admission.envelope;
      const { outcomes, leased } = await harness.ledger.admitAndLease([admission]);
      expect({ outcomes, ids: [...leased.keys()] }).toEqual({ outcomes: ['admitted'], ids: [id] });
      const again = await harness.ledger.admitAndLease([admission]);
      expect({ ...again, leased: again.leased.size }).toEqual({ outcomes: ['duplicate'], leased: 0 });
      expect(await harness.stateOf(id)).toMatchObject({ state: 'leased', fencing_token: 1 });
      const end = { result: undefined, emissions: [], durationMs: 1 };
      expect(await harness.ledger.finish({ id, fencingToken: 1, ...end })).toBe(true);
      await harness.ledger.admit(someAdmission({ stage: 'second' }));
      const later = { ...someAdmission({ stage: 'second' }), leaseMs };
      expect((await harness.ledger.admitAndLease([later])).leased.size).toBe(0);
      expect(await harness.stateOf(later.envelope.id)).toMatchObject({ state: 'pending', fencing_token: 0 });
    });

    it('are not while another message of their stage waits, or anything is held', async () => {
      const waiting = someAdmission({ stage: 'second' });
      await harness.ledger.admit(waiting);
      expect(await isLeased({}, { stage: 'third' })).toEqual([false, true]);
      await harness.leased(waiting.envelope.id);
      // The one that was not leased before waits now.
      expect(await isLeased({})).toEqual([false]);
      await database.execute(`update millrace.messages set parked_for = 'pause:x' where state = 'pending'`);
      expect(await isLeased({})).toEqual([true]);
      const blocks = new Blocks({ database, clock: systemClock });
      const block = { scope: 'stage', value: 'second', aborts: false, actor: 'ann', reason: 'test' } as const;
      const parent = await harness.admitted();
      const { fencingToken } = await harness.leased(parent);
      await blocks.place(block);
      const emission = { ...harness.emission(newId(new Date())), leaseMs };
      const finished = { id: parent, fencingToken, result: undefined, emissions: [emission], durationMs: 1 };
      expect((await harness.ledger.finishAndLease(finished)).leased.size).toBe(0);
      expect(await harness.stateOf(emission.id)).toMatchObject({ state: 'pending' });
      await blocks.remove(block, block);
    });

    it('are not where a key orders them, nor without a stage, nor without the fencing token', async () => {
      expect(await isLeased({ orderKey: 'one' }, { stage: '' })).toEqual([false, false]);
      const id = await harness.admitted();
      await harness.leased(id);
      const emission = { ...harness.emission(newId(new Date()), 'third'), leaseMs };
      const late = { id, fencingToken: 7, result: undefined, emissions: [emission], durationMs: 1 };
      const outcome = await harness.ledger.finishAndLease(late);
      expect({ isOurs: outcome.isOurs, leased: outcome.leased.size }).toEqual({ isOurs: false, leased: 0 });
      expect(await harness.stateOf(emission.id)).toBeUndefined();
    });

    it('keep their place after their first lease has expired, which counts for nothing; the next one counts', async () => {
      const { ids, leased } = await finish({});
      const [id = ''] = ids;
      const expire = async () => {
        await database.execute(
          `update millrace.messages set lease_until = clock_timestamp() - interval '2 s', sweep_at = clock_timestamp() - interval '1 s'
           where id = '${id}'`,
        );
        expect(await new SweepLedger(database).sweep(10)).toMatchObject([{ id }]);
      };
      await expire();
      const again = await harness.leased(id);
      expect(again).toMatchObject({
        fencingToken: 2,
        expiredLeases: 0,
        availableAt: leased.get(id)?.availableAt,
      });
      await expire();
      expect(await harness.leased(id)).toMatchObject({ fencingToken: 3, expiredLeases: 1 });
    });
  });
}
