import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, isUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import type { CallLedger, CallTotals } from '../../src/engine/ledger/call-ledger.ts';
import { ExportLedger } from '../../src/engine/export/export-ledger.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';
import { RepriceLedger } from '../../src/engine/ledger/reprice-ledger.ts';
import { readRecentCalls } from '../../src/engine/ledger/recent-calls.ts';
import type { SettledCall } from '../../src/engine/ledger/settlement.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import { LedgerHarness, someReservation, someSettlement } from '../support/ledger-fixture.ts';
import { pruneAll } from '../support/prune-all.ts';

/** What the ledger promises about calls, money, background jobs and exports, on whichever database. Every test begins empty. */
export function ledgerCallsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`calls in the ledger on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;
    let ledger: MessageLedger;
    let calls: CallLedger;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database, ledger, calls } = harness);
    });

    it('sends a call out only under a lease that runs', async () => {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      const ask = (call: string, withFencingToken: number) =>
        calls.reserve(someReservation({ id: call, message: { id, fencingToken: withFencingToken } }));
      const [one, two, three] = [newId(new Date()), newId(new Date()), newId(new Date())];
      expect(await ask(one, fencingToken)).toEqual({ kind: 'reserved', at: expect.any(Date) });
      expect(await ask(one, fencingToken)).toEqual({ kind: 'lease_expired' });
      expect(await ask(two, fencingToken - 1)).toEqual({ kind: 'lease_expired' });
      await harness.expireLeases();
      expect(await ask(three, fencingToken)).toEqual({ kind: 'lease_expired' });
    });

    it('settles a call once, and adds up to the last decimal', async () => {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
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
                await calls.reserve(someReservation({ id: call, message: { id, fencingToken } }));
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
      expect(await harness.outbox('usage')).toHaveLength(totals.calls);
    });

    it('tells what the calls of the last hour wasted, by why, and how they failed', async () => {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      const settled = async (parts: Partial<SettledCall>, model = 'gpt-5-mini'): Promise<string> => {
        const call = newId(new Date());
        await calls.reserve(someReservation({ id: call, model, message: { id, fencingToken } }));
        expect(await calls.settle(someSettlement({ id: call, ...parts }))).toBe(true);
        return call;
      };
      const failed = { outcome: 'error', errorType: 'timeout', wasteReason: 'failed' } as const;
      expect(await readRecentCalls(database)).toEqual({ wasted: [], failing: [] });
      await settled({ costUsd: usd('9') });
      await settled({ ...failed, costUsd: usd('0.1') });
      await settled({ ...failed, costUsd: usd('0.000000000000000002') });
      await settled({ ...failed, costUsd: undefined, upperBoundUsd: usd('0.4') }, 'gpt-5');
      await settled({ wasteReason: 'retried', costUsd: usd('3') });
      await settled({
        outcome: 'error',
        errorType: 'rate_limited',
        costUsd: undefined,
        wasteReason: undefined,
      });
      const read = async () => {
        const { wasted, failing } = await readRecentCalls(database);
        const amounts = wasted.map(({ costUsd, openUpperUsd, ...waste }) => ({
          ...waste,
          costUsd: formatUsd(costUsd),
          openUpperUsd: formatUsd(openUpperUsd),
        }));
        return { wasted: amounts, failing };
      };
      expect(await read()).toEqual({
        wasted: [
          { reason: 'retried', calls: 1, costUsd: '3', openUpperUsd: '0' },
          { reason: 'failed', calls: 3, costUsd: '0.100000000000000002', openUpperUsd: '0.4' },
        ],
        failing: [
          { provider: 'openai', model: 'gpt-5-mini', errorType: 'timeout', calls: 2 },
          { provider: 'openai', model: 'gpt-5', errorType: 'timeout', calls: 1 },
          { provider: 'openai', model: 'gpt-5-mini', errorType: 'rate_limited', calls: 1 },
        ],
      });
      await database.execute(`update millrace.calls set settled_at = settled_at - interval '61 minutes'`);
      expect(await read()).toEqual({ wasted: [], failing: [] });
      // Found to be of no use only now.
      await database.execute(
        `update millrace.calls set invalidated_at = clock_timestamp(), waste_reason = 'invalid_output' where cost_usd = 9`,
      );
      expect((await read()).wasted).toEqual([
        { reason: 'invalid_output', calls: 1, costUsd: '9', openUpperUsd: '0' },
      ]);
    });

    it('gives up calls whose maker is gone, once, and lets the truth in late', async () => {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      const call = newId(new Date());
      await calls.reserve(someReservation({ id: call, message: { id, fencingToken } }));
      expect(await calls.listAbandoned(0, 10)).toEqual([]);
      await harness.expireLeases();
      const [abandoned] = await calls.listAbandoned(0, 10);
      expect(abandoned).toMatchObject({
        id: call,
        origin: { team: 'blue' },
        message: { id, stage: 'first' },
      });
      await database.execute(`update millrace.calls set reserved_at = reserved_at - interval '1 hour'`);
      expect(await calls.abandon([{ id: call, line: '{"kind":"unsettled"}' }])).toBe(1);
      expect(await calls.abandon([{ id: call, line: '{"kind":"unsettled"}' }])).toBe(0);
      const unsettled = async () =>
        (await new LedgerCounts(database).read()).find(({ kind }) => kind === 'unsettled');
      const counted = await unsettled();
      expect(counted?.count).toBe(1);
      expect(counted?.oldestSeconds).toBeGreaterThanOrEqual(3600);
      expect(counted?.oldestSeconds).toBeLessThan(3700);
      const open = await calls.totals();
      expect(open).toMatchObject({ unsettled: 1, succeeded: 0 });
      expect(formatUsd(open.openUpperUsd)).toBe('0.5');
      const settlement = someSettlement({ id: call });
      const settleLate = () => calls.settleLate(settlement, ['{"kind":"correction"}']);
      expect(await calls.settle(settlement)).toBe(false);
      expect(await settleLate()).toBe(true);
      expect(await settleLate()).toBe(false);
      expect(await harness.outbox('usage')).toEqual(['{"kind":"unsettled"}', '{"kind":"correction"}']);
      expect(await unsettled()).toBeUndefined();
      expect(await calls.callsOf(id)).toMatchObject([
        { state: 'settled', answer: { json: '{"text":"hello"}' } },
      ]);
    });

    it('finds what was released and whose worker died, once each, and never looks at what only waits', async () => {
      const sweep = new SweepLedger(database);
      const [back, died] = [await harness.admitted(), await harness.admitted()];
      await harness.admitted();
      const held = await harness.leased(back);
      await harness.leased(died);
      expect(await sweep.sweep(10)).toEqual([]);
      await ledger.release([{ id: back, fencingToken: held.fencingToken, leaseMs: 0 }]);
      await database.execute(
        `update millrace.messages set sweep_at = sweep_at - interval '1 hour', lease_until = lease_until - interval '1 hour'`,
      );
      const found = await sweep.sweep(10);
      expect(new Map(found.map((message) => [message.id, message.state]))).toEqual(
        new Map([
          [back, 'pending'],
          [died, 'leased'],
        ]),
      );
      expect(await harness.stateOf(died)).toMatchObject({ state: 'pending', fencing_token: 1, attempts: 0 });
      expect(await sweep.sweep(10)).toEqual([]);
    });

    it('lets one process at a time hold a role', async () => {
      const sweep = new SweepLedger(database);
      expect(await sweep.acquireRole('export', 'a', 60_000)).toBe(true);
      expect(await sweep.acquireRole('export', 'b', 60_000)).toBe(false);
      expect(await sweep.acquireRole('export', 'a', 60_000)).toBe(true);
      await sweep.releaseRole('export', 'a');
      expect(await sweep.acquireRole('export', 'b', 60_000)).toBe(true);
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
      expect(read.toSorted((a, b) => ((a?.id ?? '') < (b?.id ?? '') ? -1 : 1))).toEqual(
        bound.toSorted((a, b) => ((a?.id ?? '') < (b?.id ?? '') ? -1 : 1)),
      );
      expect(await exports.backlog()).toMatchObject({ records: 25, openBatches: 3 });
      for (const batch of bound) if (batch !== undefined) await exports.markExported(batch.id);
      expect(await exports.backlog()).toEqual({ records: 0, openBatches: 0, oldestSeconds: 0 });
      // Another maintenance process listed them before, and reads them now.
      for (const batch of open) expect(await exports.read(batch)).toBeUndefined();
    });

    it('prunes what is over and exported, keeps what still counts, and never changes the total', async () => {
      const [over, open, unexported] = [
        await harness.admitted(),
        await harness.admitted(),
        await harness.admitted(),
      ];
      for (const id of [over, open, unexported]) {
        const { fencingToken } = await harness.leased(id);
        const call = newId(new Date());
        await calls.reserve(someReservation({ id: call, message: { id, fencingToken } }));
        const guessed = { settlement: 'estimated', outcome: 'error', upperBoundUsd: usd('0.3') } as const;
        await calls.settle(someSettlement({ id: call, ...(id === over ? guessed : {}) }));
        if (id !== open)
          await ledger.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 });
      }
      const before = textsOf(await calls.totals());
      await database.execute(`delete from millrace.outbox;
        update millrace.calls set settled_at = settled_at - interval '2 days' where message_id <> '${unexported}';
        update millrace.messages set created_at = created_at - interval '2 days', finished_at = finished_at - interval '2 days' where id = '${over}'`);
      const pruned = await pruneAll(database, { finishedMs: 86_400_000, exportedMs: 86_400_000 }, 100);
      expect(pruned).toEqual({ calls: 1, messages: 1, batches: 0, windows: 0 });
      expect(await harness.stateOf(over)).toBeUndefined();
      expect(textsOf(await calls.totals())).toEqual(before);
      expect(before).toMatchObject({ failed: 1, estimated: 1, estimatedUpperUsd: '0.3' });
      const day = new Date(Date.now() - 2 * 86_400_000);
      const around = { from: new Date(day.getTime() - 86_400_000), to: new Date(day.getTime() + 86_400_000) };
      const range = { ...around, provider: undefined, model: undefined, team: undefined };
      expect(await new RepriceLedger(database).countPruned(range)).toEqual([
        { month: day.toISOString().slice(0, 7), calls: 1 },
      ]);
    });

    it('counts as unpriced what records count so, also of unknown outcome', async () => {
      const id = await harness.admitted();
      const { fencingToken } = await harness.leased(id);
      const [priced, unpriced, open] = [newId(new Date()), newId(new Date()), newId(new Date())];
      for (const call of [priced, unpriced, open]) {
        const bound = call === priced ? {} : { upperBoundUsd: undefined };
        await calls.reserve(someReservation({ id: call, message: { id, fencingToken }, ...bound }));
      }
      await calls.settle(someSettlement({ id: priced }));
      await calls.settle(someSettlement({ id: unpriced, costUsd: undefined }));
      await harness.expireLeases();
      expect(await calls.abandon([{ id: open, line: '{"kind":"unsettled"}' }])).toBe(1);
      expect(await calls.totals()).toMatchObject({ calls: 3, succeeded: 2, unsettled: 1, unpriced: 2 });
    });
  });
}

/** Totals with amounts as text. */
function textsOf(totals: CallTotals): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(totals).map(([name, value]) => [name, isUsd(value) ? formatUsd(value) : value]),
  );
}
