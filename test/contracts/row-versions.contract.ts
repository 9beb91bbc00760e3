import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import {
  LedgerHarness,
  leaseMs,
  someAdmission,
  someReservation,
  someSettlement,
} from '../support/ledger-fixture.ts';

/** What the ledger does with the pages that its rows lie on, on whichever database. */
export function rowVersionsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`versions of rows on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database } = harness);
    });

    /** The page of each row. */
    async function pagesOf(table: 'messages' | 'calls'): Promise<ReadonlyMap<Uuid, number>> {
      const { rows } = await database.query<{ id: Uuid; page: number }>({
        name: `test.pages_of_${table}`,
        text: `select id, (ctid::text::point)[0]::int as page from millrace.${table}`,
      });
      return new Map(rows.map(({ id, page }) => [id, page]));
    }

    it('lie on the page of the one before, from admission or reservation to the end', async () => {
      const count = 200;
      const body = JSON.stringify({ text: 'x'.repeat(200) });
      await Promise.all(
        Array.from({ length: count }, () => harness.ledger.admit(someAdmission({ stage: 'first' }, body))),
      );
      const admitted = await pagesOf('messages');
      const claims = await Promise.all(
        Array.from({ length: count }, () => harness.ledger.claim({ stage: 'first', leaseMs })),
      );
      const leased = claims.flatMap((claim) => (claim.kind === 'leased' ? [claim.message] : []));
      expect(leased).toHaveLength(count);
      const calls = await Promise.all(
        leased.map(async ({ envelope: { id }, fencingToken }) => {
          const call = newId(new Date());
          await harness.calls.reserve(someReservation({ id: call, message: { id, fencingToken } }));
          return call;
        }),
      );
      const reserved = await pagesOf('calls');
      await Promise.all(calls.map((id) => harness.calls.settle(someSettlement({ id }))));
      await Promise.all(
        leased.map(({ envelope: { id }, fencingToken }) =>
          harness.ledger.finish({ id, fencingToken, result: '"done"', emissions: [], durationMs: 1 }),
        ),
      );
      const moved = async (table: 'messages' | 'calls', before: ReadonlyMap<Uuid, number>) =>
        [...(await pagesOf(table))].filter(([id, page]) => before.get(id) !== page).length;
      // Somebody else may look at a page just then, so that old versions stay for a while.
      expect(await moved('messages', admitted)).toBeLessThan(count / 10);
      expect(await moved('calls', reserved)).toBeLessThan(count / 10);
    });
  });
}
