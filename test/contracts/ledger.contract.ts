import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { CallLedger } from '../../src/ledger/call-ledger.ts';
import { ExportLedger } from '../../src/ledger/export-ledger.ts';
import type { Emission, MessageLedger } from '../../src/ledger/message-ledger.ts';
import { type MessageState, mayBecome } from '../../src/ledger/message-state.ts';
import { prune } from '../../src/ledger/retention.ts';
import { SweepLedger } from '../../src/ledger/sweep-ledger.ts';
import { someAdmission, someLedger, someReservation, someSettlement } from '../support/ledger-fixture.ts';

const leaseMs = 30_000;

/** What the ledger promises, on whichever database. The database is migrated; every test begins with empty tables. */
export function ledgerContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`ledger on ${name}`, () => {
    let database: SqlDatabase;
    let ledger: MessageLedger;
    let calls: CallLedger;

    beforeEach(async () => {
      database = await open();
      await database.execute(
        'truncate millrace.messages, millrace.failures, millrace.calls, millrace.outbox, millrace.export_batches, millrace.pruned_totals, millrace.role_leases',
      );
      ledger = someLedger(database);
      calls = new CallLedger({ database, clock: systemClock });
    });

    const admitted = async (stage = 'first'): Promise<string> => {
      const admission = someAdmission({ stage });
      expect(await ledger.admit(admission)).toBe('admitted');
      return admission.envelope.id;
    };

    const leased = async (id: string, by: MessageLedger = ledger, forMs = leaseMs) => {
      const outcome = await by.lease(id, forMs);
      if (outcome.kind !== 'leased') throw new Error(`not leased: ${outcome.kind}`);
      return outcome.message;
    };

    const expireLeases = () =>
      database.execute(
        "update millrace.messages set lease_until = clock_timestamp() - interval '1 ms' where state = 'leased'",
      );

    const stateOf = async (id: string) => {
      const { rows } = await database.query<{
        state: string;
        fence: number;
        attempts: number;
        result: string | null;
      }>(
        {
          name: 'test.state',
          text: 'select state, fence, attempts, result from millrace.messages where id = $1::uuid',
        },
        [id],
      );
      return rows[0];
    };

    const outbox = async (target: string) => {
      const { rows } = await database.query<{ line: string }>(
        { name: 'test.outbox', text: 'select line from millrace.outbox where target = $1 order by seq' },
        [target],
      );
      return rows.map((row) => row.line);
    };

    const emission = (id: string, stage = 'second'): Emission => ({
      id,
      source: 'millrace/default/first',
      type: 'thing.done',
      version: 1,
      pipeline: 'default',
      stage,
      owner: 'platform',
      lane: 'standard',
      traceParent: `00-${'a'.repeat(32)}-${'c'.repeat(16)}-01`,
      body: { kind: 'inline', json: '{}' },
      bodyBytes: 2,
    });

    it('gives a leased message back as it was admitted, whatever its text', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'binary' }),
          fc.dictionary(fc.constantFrom('a', 'b'), fc.string()),
          async (text, labels) => {
            const json = JSON.stringify({ text: text.toWellFormed() });
            const admission = someAdmission(
              {
                origin: {
                  team: 'blue "team"',
                  customer: "acme's \\ {co},",
                  feature: 'café ☕',
                  batch: 'night',
                  ...(Object.keys(labels).length === 0 ? {} : { labels: clean(labels) }),
                },
              },
              json,
            );
            await ledger.admit(admission);
            const message = await leased(admission.envelope.id);
            expect(message.body).toEqual({ kind: 'inline', json });
            expect(message.envelope).toMatchObject(admission.envelope);
          },
        ),
        { numRuns: 25 },
      );
    });

    it('takes the same message once, however often and however concurrently it is admitted', async () => {
      const admission = someAdmission();
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => ledger.admit(admission)));
      expect(outcomes.filter((outcome) => outcome === 'admitted')).toHaveLength(1);
      expect(await ledger.admit(admission)).toBe('duplicate');
    });

    it('leases a message to one of many who ask at once', async () => {
      const id = await admitted();
      const other = someLedger(database, 'worker-2');
      const outcomes = await Promise.all([
        ...Array.from({ length: 5 }, () => ledger.lease(id, leaseMs)),
        ...Array.from({ length: 5 }, () => other.lease(id, leaseMs)),
      ]);
      expect(outcomes.filter((outcome) => outcome.kind === 'leased')).toHaveLength(1);
      expect(await ledger.lease(id, leaseMs)).toEqual({ kind: 'held_by_another' });
      expect(await ledger.lease(newId(new Date()), leaseMs)).toEqual({ kind: 'unknown' });
    });

    it('lets only the holder of the current fence finish, with result, emissions and outcome or nothing', async () => {
      const id = await admitted();
      const first = await leased(id);
      await expireLeases();
      const second = await leased(id, someLedger(database, 'worker-2'));
      expect(second.fence).toBe(first.fence + 1);
      const [early, late] = [newId(new Date()), newId(new Date())];
      const finish = (fence: number, emitted: string) =>
        ledger.finish({
          id,
          fence,
          result: `"${emitted}"`,
          emissions: [emission(emitted)],
          outcomeLine: `{"id":"${emitted}"}`,
        });
      expect(await finish(first.fence, early)).toBe(false);
      expect(await outbox('message_outcomes')).toEqual([]);
      expect(await finish(second.fence, late)).toBe(true);
      expect(await finish(second.fence, late)).toBe(false);
      expect(await stateOf(early)).toBeUndefined();
      expect(await stateOf(late)).toMatchObject({ state: 'pending' });
      expect(await stateOf(id)).toMatchObject({ state: 'completed', result: `"${late}"` });
      expect(await outbox('message_outcomes')).toEqual([`{"id":"${late}"}`]);
      expect(await ledger.lease(id, leaseMs)).toEqual({ kind: 'ended' });
    });

    it('hands root, item and origin down to what is emitted, and completes an output at once', async () => {
      const admission = someAdmission({
        item: 'readme.md',
        origin: { team: 't', customer: 'c', feature: 'f', batch: 'b' },
      });
      await ledger.admit(admission);
      const { id } = admission.envelope;
      const message = await leased(id);
      const [next, output] = [newId(new Date()), newId(new Date())];
      await ledger.finish({
        id,
        fence: message.fence,
        result: undefined,
        emissions: [emission(next), emission(output, '')],
        outcomeLine: '{}',
      });
      const child = await leased(next);
      expect(child.envelope).toMatchObject({
        rootId: id,
        parentId: id,
        item: 'readme.md',
        origin: admission.envelope.origin,
      });
      expect(child.envelope.admittedAt).toEqual(message.envelope.admittedAt);
      expect(await stateOf(output)).toMatchObject({ state: 'completed' });
    });

    it('makes a retried message due again after its delay, with the attempt counted and noted', async () => {
      const id = await admitted();
      const { fence } = await leased(id);
      expect(await ledger.retry({ id, fence, delayMs: 60_000, code: 'X', detail: '{}' })).toBe(true);
      expect(await ledger.retry({ id, fence, delayMs: 0, code: 'X', detail: '{}' })).toBe(false);
      const outcome = await ledger.lease(id, leaseMs);
      expect(outcome.kind).toBe('not_due');
      if (outcome.kind === 'not_due') expect(outcome.delayMs).toBeGreaterThan(50_000);
      expect(await stateOf(id)).toMatchObject({ state: 'pending', attempts: 1 });
    });

    it('hands a message back without counting an attempt', async () => {
      const id = await admitted();
      const { fence } = await leased(id);
      await ledger.handBack([{ id, fence, leaseMs }]);
      const again = await leased(id);
      expect(again).toMatchObject({ fence: fence + 1, deliveries: 2, attempts: 0 });
    });

    it('renews leases that are ours and names those that are not', async () => {
      const [kept, lost] = [await admitted(), await admitted()];
      const [first, second] = [await leased(kept), await leased(lost)];
      const renewed = await ledger.renew([
        { id: kept, fence: first.fence, leaseMs },
        { id: lost, fence: second.fence - 1, leaseMs },
      ]);
      expect(renewed).toEqual(new Set([kept]));
    });

    it('sends a call out only under a lease that runs', async () => {
      const id = await admitted();
      const { fence } = await leased(id);
      const ask = (call: string, withFence: number) =>
        calls.reserve(someReservation({ id: call, message: { id, fence: withFence } }));
      const [one, two, three] = [newId(new Date()), newId(new Date()), newId(new Date())];
      expect(await ask(one, fence)).toBe(true);
      expect(await ask(one, fence)).toBe(false);
      expect(await ask(two, fence - 1)).toBe(false);
      await expireLeases();
      expect(await ask(three, fence)).toBe(false);
    });

    it('settles a call once, and adds up to the last decimal', async () => {
      const id = await admitted();
      const { fence } = await leased(id);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.bigInt({ min: 0n, max: 10n ** 21n }), { minLength: 1, maxLength: 8 }),
          async (attos) => {
            const before = (await calls.totals()).settledUsd;
            const amounts = attos.map((atto) =>
              usd(`${atto / 10n ** 18n}.${String(atto % 10n ** 18n).padStart(18, '0')}`),
            );
            await Promise.all(
              amounts.map(async (costUsd) => {
                const call = newId(new Date());
                await calls.reserve(someReservation({ id: call, message: { id, fence } }));
                expect(await calls.settle(someSettlement({ id: call, costUsd }))).toBe(true);
                expect(await calls.settle(someSettlement({ id: call, costUsd }))).toBe(false);
              }),
            );
            const after = (await calls.totals()).settledUsd;
            expect(formatUsd(after.minus(before))).toBe(formatUsd(sumUsd(amounts)));
          },
        ),
        { numRuns: 15 },
      );
      const totals = await calls.totals();
      expect(await outbox('usage')).toHaveLength(totals.calls);
    });

    it('gives up calls whose maker is gone, once, and lets the truth in late', async () => {
      const id = await admitted();
      const { fence } = await leased(id);
      const call = newId(new Date());
      await calls.reserve(someReservation({ id: call, message: { id, fence } }));
      expect(await calls.listAbandoned(0, 10)).toEqual([]);
      await expireLeases();
      const [abandoned] = await calls.listAbandoned(0, 10);
      expect(abandoned).toMatchObject({
        id: call,
        origin: { team: 'blue' },
        message: { id, stage: 'first' },
      });
      expect(await calls.abandon([{ id: call, line: '{"kind":"unsettled"}' }])).toBe(1);
      expect(await calls.abandon([{ id: call, line: '{"kind":"unsettled"}' }])).toBe(0);
      const open = await calls.totals();
      expect(open).toMatchObject({ unsettled: 1, succeeded: 0 });
      expect(formatUsd(open.openUpperUsd)).toBe('0.5');
      const settlement = someSettlement({ id: call, line: '{"kind":"correction"}' });
      expect(await calls.settle(settlement)).toBe(false);
      expect(await calls.settleLate(settlement)).toBe(true);
      expect(await calls.settleLate(settlement)).toBe(false);
      expect(await outbox('usage')).toEqual(['{"kind":"unsettled"}', '{"kind":"correction"}']);
      expect(await calls.callsOf(id)).toMatchObject([
        { state: 'settled', answer: { json: '{"text":"hello"}' } },
      ]);
    });

    it('finds what was never published and whose worker died, and lets the next look wait', async () => {
      const sweep = new SweepLedger(database);
      const [unseen, died] = [await admitted(), await admitted()];
      await leased(died);
      expect(await sweep.sweep(10)).toEqual([]);
      await database.execute("update millrace.messages set wake_at = clock_timestamp() - interval '1 s'");
      const found = await sweep.sweep(10);
      expect(new Map(found.map((message) => [message.id, message.state]))).toEqual(
        new Map([
          [unseen, 'pending'],
          [died, 'leased'],
        ]),
      );
      expect(await sweep.sweep(10)).toEqual([]);
      expect(
        (await sweep.listOpen('00000000-0000-0000-0000-000000000000', 10))
          .map((message) => message.id)
          .toSorted(),
      ).toEqual([unseen, died].toSorted());
    });

    it('lets one process at a time hold a role', async () => {
      const sweep = new SweepLedger(database);
      expect(await sweep.holdRole('export', 'a', 60_000)).toBe(true);
      expect(await sweep.holdRole('export', 'b', 60_000)).toBe(false);
      expect(await sweep.holdRole('export', 'a', 60_000)).toBe(true);
      await sweep.releaseRole('export', 'a');
      expect(await sweep.holdRole('export', 'b', 60_000)).toBe(true);
    });

    it('binds every line to one batch that never changes', async () => {
      const exports = new ExportLedger(database);
      await database.execute(
        `insert into millrace.outbox (target, line) select 'usage', '{"n":' || n || '}' from generate_series(1, 25) n`,
      );
      const bound = await Promise.all([1, 2, 3].map(() => exports.bind(newId(new Date()), 'usage', 10)));
      const numbers = bound.flatMap((batch) =>
        (batch?.lines ?? []).map((line) => JSON.parse(line) as { n: number }),
      );
      expect(numbers.map((line) => line.n).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 25 }, (_, index) => index + 1),
      );
      expect(await exports.bind(newId(new Date()), 'usage', 10)).toBeUndefined();
      const open = await exports.listOpen(10);
      const read = await Promise.all(open.map((batch) => exports.read(batch)));
      expect(read.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
        bound.toSorted((a, b) => ((a?.id ?? '') < (b?.id ?? '') ? -1 : 1)),
      );
      expect(await exports.backlog()).toMatchObject({ records: 25, openBatches: 3 });
      for (const batch of bound) if (batch !== undefined) await exports.markExported(batch.id);
      expect(await exports.backlog()).toEqual({ records: 0, openBatches: 0, oldestSeconds: 0 });
    });

    it('prunes what is over and exported, keeps what still counts, and never changes the total', async () => {
      const [over, open, unexported] = [await admitted(), await admitted(), await admitted()];
      for (const id of [over, open, unexported]) {
        const { fence } = await leased(id);
        const call = newId(new Date());
        await calls.reserve(someReservation({ id: call, message: { id, fence } }));
        await calls.settle(someSettlement({ id: call }));
        if (id !== open)
          await ledger.finish({ id, fence, result: undefined, emissions: [], outcomeLine: '{}' });
      }
      const before = await calls.totals();
      await database.execute(`delete from millrace.outbox;
        update millrace.calls set settled_at = settled_at - interval '2 days' where message_id <> '${unexported}';
        update millrace.messages set finished_at = finished_at - interval '2 days' where id = '${over}'`);
      const pruned = await prune(database, { finishedMs: 86_400_000, exportedMs: 86_400_000 }, 100);
      expect(pruned).toEqual({ calls: 1, messages: 1, batches: 0 });
      expect(await stateOf(over)).toBeUndefined();
      const after = await calls.totals();
      expect(after.calls).toBe(before.calls);
      expect(formatUsd(after.settledUsd)).toBe(formatUsd(before.settledUsd));
    });

    it('only ever goes from state to state as the state machine says, whoever tries what', async () => {
      const operations = ['lease', 'finish', 'retry', 'end', 'hand_back', 'expire'] as const;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.constantFrom(...operations), fc.boolean()), { maxLength: 10 }),
          async (script) => {
            const id = await admitted();
            let state: MessageState = 'pending';
            for (const [operation, showsFence] of script) {
              const before = await stateOf(id);
              const fence = (before?.fence ?? 0) - (showsFence ? 0 : 1);
              if (operation === 'lease') await ledger.lease(id, leaseMs);
              else if (operation === 'finish')
                await ledger.finish({ id, fence, result: undefined, emissions: [], outcomeLine: '{}' });
              else if (operation === 'retry')
                await ledger.retry({ id, fence, delayMs: 0, code: 'X', detail: '{}' });
              else if (operation === 'end')
                await ledger.end({
                  id,
                  fence,
                  state: 'dead_lettered',
                  code: 'X',
                  detail: '{}',
                  outcomeLine: '{}',
                });
              else if (operation === 'hand_back') await ledger.handBack([{ id, fence, leaseMs }]);
              else await expireLeases();
              const after = (await stateOf(id))?.state as MessageState;
              expect(after === state || mayBecome(state, after), `${state} to ${after} by ${operation}`).toBe(
                true,
              );
              if (!showsFence && !['lease', 'expire'].includes(operation)) expect(after).toBe(state);
              state = after;
            }
          },
        ),
        { numRuns: 25 },
      );
    });

    it('raises the fence with every lease and never lowers it', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('retry', 'hand_back', 'expire'), { maxLength: 6 }),
          async (ends) => {
            const id = await admitted();
            let last = 0;
            for (const end of ends) {
              const { fence } = await leased(id);
              expect(fence).toBe(last + 1);
              last = fence;
              if (end === 'retry') await ledger.retry({ id, fence, delayMs: 0, code: 'X', detail: '{}' });
              else if (end === 'hand_back') await ledger.handBack([{ id, fence, leaseMs }]);
              else await expireLeases();
            }
            expect((await stateOf(id))?.fence).toBe(last);
          },
        ),
        { numRuns: 15 },
      );
    });
  });
}

function clean(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [key, value.toWellFormed().replaceAll('\u0000', '')]),
  );
}
