import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { DeadLetters } from '../../src/capabilities/dead-letters/dead-letters.ts';
import { ExportLedger } from '../../src/engine/export/export-ledger.ts';
import { MessageTail } from '../../src/capabilities/message-operations/message-tail.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';
import { LedgerHarness, someReservation, someSettlement } from '../support/ledger-fixture.ts';

const rowCount = 12;
const everyone = {};
const instant = "'2026-03-01T00:00:00.000123Z'";

/** Ids in an order that is not theirs, so that rows are not written in the order of their ids. */
function mixedIds(): readonly Uuid[] {
  const ids = Array.from({ length: rowCount }, () => newId(new Date())).toSorted();
  return ids.flatMap((_, place) => ids.slice((place * 5 + 7) % rowCount).slice(0, 1));
}

/** Lists whose rows have the same time are in the order of their ids, whatever order the rows lie in. */
export function listOrderContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`the order of what happened at the same time, on ${name}`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;

    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
    });

    it('is that of the ids for the calls of a message at one place', async () => {
      const message = await harness.admitted();
      const { fencingToken } = await harness.leased(message);
      const ids = mixedIds();
      for (const id of ids)
        await harness.calls.reserve(
          someReservation({ id, message: { id: message, fencingToken }, step: `step ${id}` }),
        );
      await database.execute(`update millrace.calls set reserved_at = ${instant}`);
      const calls = await harness.calls.callsOf(message);
      expect(calls.map(({ id }) => id)).toEqual(ids.toSorted());
    });

    it('is that of the ids for calls that nobody waits for', async () => {
      const ids = mixedIds();
      for (const id of ids) {
        const message = await harness.admitted();
        const { fencingToken } = await harness.leased(message);
        await harness.calls.reserve(someReservation({ id, message: { id: message, fencingToken } }));
      }
      await harness.expireLeases();
      await database.execute(`update millrace.calls set reserved_at = ${instant}`);
      const abandoned = await harness.calls.listAbandoned(0, rowCount - 1);
      expect(abandoned.map(({ id }) => id)).toEqual(ids.toSorted().slice(0, -1));
    });

    it('is that of the ids for open export batches', async () => {
      const exports = new ExportLedger(database);
      const ids = mixedIds();
      for (const id of ids)
        await database.execute(
          `insert into millrace.export_batches (id, target, rows, seqs, oldest_at, bound_at)
           values ('${id}', 'usage', 1, '{1}', ${instant}, ${instant})`,
        );
      const open = await exports.listOpen(rowCount - 1);
      expect(open.map((batch) => batch.id)).toEqual(ids.toSorted().slice(0, -1));
    });

    it('is that of the ids for dead letters that are replayed without a pause between them', async () => {
      const fixture = new DeadLetterFixture(database);
      await fixture.clear();
      const ids: Uuid[] = [];
      for (const id of mixedIds()) ids.push(await fixture.dead({ id }));
      await database.execute(`update millrace.messages set finished_at = ${instant}`);
      const replayed = await new DeadLetters(database).replaySlice({}, everyone, {
        ...fixture.operation(),
        limit: 100,
        firstMs: 0,
        stepMs: 0,
      });
      expect(replayed.map(({ id }) => id)).toEqual(ids.toSorted());
    });

    it('is that of the ids for what a tail tells', async () => {
      const tail = new MessageTail(database);
      await tail.look({}, everyone);
      const messages = mixedIds();
      for (const id of messages) await harness.admitted('first', id);
      await tail.look({}, everyone);
      for (const message of messages) {
        const { fencingToken } = await harness.leased(message);
        const call = newId(new Date());
        await harness.calls.reserve(someReservation({ id: call, message: { id: message, fencingToken } }));
        await harness.calls.settle(someSettlement({ id: call }));
        await database.execute(
          `insert into millrace.failures (message_id, fencing_token, at, code, retryable, detail)
           values ('${message}', ${fencingToken}, clock_timestamp(), 'X', true, '{}')`,
        );
      }
      await database.execute(
        `update millrace.failures set at = statement_timestamp();
         update millrace.calls set settled_at = statement_timestamp();
         update millrace.messages set state = 'cancelled', finished_at = statement_timestamp(), sweep_at = null,
           leased_by = null, lease_until = null`,
      );
      const { events } = await tail.look({}, everyone);
      const told = (kind: string): Uuid[] =>
        events.filter((event) => event.kind === kind).map(({ id }) => id);
      expect(told('failure')).toEqual(messages.toSorted());
      expect(told('ended')).toEqual(messages.toSorted());
      const calls = await callsInOrder(database);
      expect(told('call')).toEqual(calls);
    });
  });
}

/** Which messages the calls belong to, in the order of the calls' ids. */
async function callsInOrder(database: SqlDatabase): Promise<readonly Uuid[]> {
  const { rows } = await database.query<{ message_id: Uuid }>(
    { name: 'test.calls_in_order', text: 'select message_id from millrace.calls order by id' },
    [],
  );
  return rows.map((row) => row.message_id);
}
