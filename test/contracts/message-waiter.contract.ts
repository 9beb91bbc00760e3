import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { MessageSearch } from '../../src/capabilities/message-operations/message-search.ts';
import { MessageWaiter } from '../../src/capabilities/message-operations/message-waiter.ts';
import { LedgerHarness } from '../support/ledger-fixture.ts';

/** What waiting for messages promises, on whichever database. The database is migrated; every test begins empty. */
export function messageWaiterContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`the waiter on ${name}`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;

    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
    });

    it('waits for a message alone or with all that followed, for a time, until a signal, and not when unknown', async () => {
      const waiter = new MessageWaiter({ search: new MessageSearch(database), clock: systemClock });
      const root = await harness.admitted();
      await expect(waiter.wait(root, { timeoutMs: 1 })).rejects.toMatchObject({
        code: 'MILLRACE_WAIT_TIMEOUT',
      });
      const reason = new Error('no more');
      await expect(waiter.wait(root, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      await expect(waiter.wait(newId(new Date()))).rejects.toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
      await expect(waiter.wait('x')).rejects.toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
      const { fencingToken } = await harness.leased(root);
      const child = newId(new Date());
      const alone = waiter.wait(root);
      const all = waiter.wait(root, { includeChildren: true });
      await harness.ledger.finish({
        id: root,
        fencingToken,
        result: '{"answer":42}',
        emissions: [harness.emission(child)],
        durationMs: 1,
      });
      expect(await alone).toEqual({
        id: root,
        state: 'completed',
        result: { answer: 42 },
        errorCode: undefined,
        messages: 1,
        failed: 0,
      });
      await harness.leased(child).then((lease) =>
        harness.ledger.end({
          id: child,
          fencingToken: lease.fencingToken,
          state: 'cancelled',
          code: 'MILLRACE_MESSAGE_CANCELLED',
          detail: '{}',
          outcomeLine: '{}',
        }),
      );
      expect(await all).toMatchObject({ id: root, state: 'completed', messages: 2, failed: 1 });
      expect(await waiter.wait(child)).toMatchObject({
        state: 'cancelled',
        errorCode: 'MILLRACE_MESSAGE_CANCELLED',
      });
    });
  });
}
