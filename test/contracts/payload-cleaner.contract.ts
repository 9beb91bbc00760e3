import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { referenceOf } from '../../src/drivers/payload-store/payload-reference.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { PayloadRemovals } from '../../src/engine/maintenance/payload-removals.ts';
import { PayloadCleaner, defaultUntouchedMs } from '../../src/engine/maintenance/payload-cleaner.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { LedgerHarness, someAdmission, someReservation, someSettlement } from '../support/ledger-fixture.ts';
import { pruneAll } from '../support/prune-all.ts';

const dayMs = 86_400_000;
const missing = { code: 'MILLRACE_PAYLOAD_MISSING' };

/** Payloads of pruned rows go, those that anything still names stay. */
export function payloadCleanerContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`payload cleaner (${name})`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;
    let directory: string;
    let payloads: PayloadStore;

    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
      directory = await mkdtemp(join(tmpdir(), 'millrace-payload-cleaner-'));
      payloads = await new FilesPayloadStore({ directory }).open(new Date());
    });

    afterEach(() => rm(directory, { recursive: true }));

    const metrics = createMetrics(metricCatalogue);
    const cleaner = (aheadMs: number, store = payloads): PayloadCleaner =>
      new PayloadCleaner({
        removals: new PayloadRemovals(database),
        payloads: store,
        clock: { ...systemClock, now: () => new Date(Date.now() + aheadMs) },
        metrics,
      });

    /** A message with a large body and one recorded large answer, both in the payload store. */
    async function message(body: string, answer: string): Promise<{ id: string; fencingToken: number }> {
      const admission = someAdmission();
      const reference = await payloads.put(Buffer.from(body));
      await harness.ledger.admit({ ...admission, body: { kind: 'payload', reference } });
      const { id } = admission.envelope;
      const { fencingToken } = await harness.leased(id);
      const call = newId(new Date());
      await harness.calls.reserve(someReservation({ id: call, message: { id, fencingToken } }));
      const answered = { reference: await payloads.put(Buffer.from(answer)) };
      await harness.calls.settle(someSettlement({ id: call, answer: answered }));
      return { id, fencingToken };
    }

    async function finishAndPrune(...messages: { id: string; fencingToken: number }[]): Promise<void> {
      for (const { id, fencingToken } of messages)
        await harness.ledger.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 });
      await database.execute(`delete from millrace.outbox;
        update millrace.calls set settled_at = settled_at - interval '2 days';
        update millrace.messages set created_at = created_at - interval '2 days', finished_at = finished_at - interval '2 days'`);
      const pruned = await pruneAll(database, { finishedMs: dayMs, exportedMs: dayMs }, 100);
      expect(pruned.messages).toBe(messages.length);
    }

    const bytesOf = async (text: string): Promise<string> =>
      Buffer.from(await payloads.get(referenceOf(Buffer.from(text)))).toString();

    async function waiting(): Promise<number> {
      const { rows } = await database.query<{ count: number }>({
        name: 'test.payload_removals',
        text: 'select count(*)::int as count from millrace.payload_removals',
      });
      return rows[0]?.count ?? -1;
    }

    it('removes the body and the answer of a pruned message', async () => {
      await finishAndPrune(await message('a body', 'an answer'));
      expect(await waiting()).toBe(2);
      expect(await cleaner(2 * defaultUntouchedMs).clean()).toBe(false);
      await expect(bytesOf('a body')).rejects.toMatchObject(missing);
      await expect(bytesOf('an answer')).rejects.toMatchObject(missing);
      expect(await waiting()).toBe(0);
    });

    it('keeps what another message or call names, until that is pruned too', async () => {
      const [first, second] = [await message('shared', 'one'), await message('other', 'shared')];
      await finishAndPrune(first);
      await cleaner(2 * defaultUntouchedMs).clean();
      expect(await bytesOf('shared')).toBe('shared');
      await expect(bytesOf('one')).rejects.toMatchObject(missing);
      expect(await waiting()).toBe(0);
      await finishAndPrune(second);
      await cleaner(2 * defaultUntouchedMs).clean();
      await expect(bytesOf('shared')).rejects.toMatchObject(missing);
    });

    it('keeps for a day what was put again, whose row may not be written yet', async () => {
      await finishAndPrune(await message('again', 'an answer'));
      await payloads.put(Buffer.from('again'));
      await cleaner(0).clean();
      expect(await bytesOf('again')).toBe('again');
      expect(await waiting()).toBe(2);
      expect(await cleaner(2 * defaultUntouchedMs).clean()).toBe(false);
      expect(await waiting()).toBe(2);
      await database.execute(`update millrace.payload_removals set due_at = clock_timestamp()`);
      await cleaner(2 * defaultUntouchedMs).clean();
      expect(await waiting()).toBe(0);
    });

    it('forgets nothing when the payload store is away', async () => {
      await finishAndPrune(await message('a body', 'an answer'));
      const away = { ...payloads, remove: () => Promise.reject(new Error('away')) } as PayloadStore;
      await expect(cleaner(2 * defaultUntouchedMs, away).clean()).rejects.toThrow('away');
      expect(await waiting()).toBe(2);
      await cleaner(2 * defaultUntouchedMs).clean();
      expect(await waiting()).toBe(0);
    });
  });
}
