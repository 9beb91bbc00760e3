import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ReconciliationReport } from '../../src/capabilities/costs/reconciliation/reconciliation-document.ts';
import { recordOfAbandoned } from '../../src/engine/calls/usage-record-of-call.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { CorrectionLedger } from '../../src/engine/ledger/correction-ledger.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { type BillForm, providerBill } from '../../src/simulator/provider-bills.ts';
import { someReservation } from '../support/ledger-fixture.ts';
import { billed, openReconciliation, type ReconciliationStores, recorded } from './reconciled-calls.ts';

/* Unsettled calls that a bill proves: settled once, with a correction, and the day is compared again. */

let stores: ReconciliationStores;
beforeAll(async () => {
  stores = await openReconciliation();
});
afterAll(() => stores.close());
beforeEach(async () => {
  await stores.empty();
  await stores.database.execute(
    'delete from millrace.calls; delete from millrace.outbox; delete from millrace.operator_actions',
  );
});

const origin = { team: 'search', customer: 'acme', feature: 'summaries' };

/** A call that was given up, now, in the ledger and among the records. */
async function abandonedCall(): Promise<string> {
  const id = newId(new Date());
  await stores.calls.reserve({
    ...someReservation({ id, message: undefined }),
    origin,
    upperBoundUsd: usd('0.5'),
  });
  await stores.database
    .execute(`update millrace.calls set state = 'unsettled', outcome = 'unsettled', settlement = 'unsettled',
    waste_reason = 'aborted', settled_at = clock_timestamp() where id = '${id}'`);
  const call = await new CorrectionLedger(stores.database).find(id);
  if (call === undefined) throw new Error('the call is there');
  await stores.insertLines([renderUsageLine(recordOfAbandoned(call, new Date()))]);
  return id;
}

async function newLines(): Promise<readonly string[]> {
  const { rows } = await stores.database.query<{ line: string }>({
    name: 'test.reconciled_lines',
    text: `delete from millrace.outbox where line is not null returning line`,
  });
  return rows.map(({ line }) => line);
}

const reconcile = (
  provider: 'openai' | 'openrouter',
  forms: readonly BillForm[],
  entries: readonly BillEntry[],
  settle: boolean,
): Promise<ReconciliationReport> =>
  stores.service.reconcile(
    {
      provider,
      files: forms.map((form) => ({ name: form, text: providerBill(form, entries) })),
      accounts: ['openai'],
      keys: [],
      settle,
    },
    { actor: 'cli:test' },
  );

it.each([
  ['by the day', 'openai', ['openai-usage', 'openai-costs']],
  ['of requests', 'openrouter', ['openrouter-generations']],
] as const)(
  'a bill %s settles the call that it proves, once, and the day is reconciled then',
  async (_, provider, forms) => {
    const id = await abandonedCall();
    const now = new Date();
    const today = now.toISOString().slice(0, 10);
    const entry = {
      ...billed({ id: 'lost', day: today, model: 'gpt-5-mini', input: 1200, output: 30 }),
      at: now.toISOString(),
    };
    const sound = { id: 'sound', day: today, model: 'gpt-5-mini', input: 700, output: 9 };
    await stores.insert([recorded(sound)]);
    const entries = [entry, billed(sound)];

    const looked = await reconcile(provider, forms, entries, false);
    expect(looked.proven).toEqual([{ callId: id, costUsd: entry.costUsd, isSettled: false }]);
    expect(await newLines()).toEqual([]);

    const settled = await reconcile(provider, forms, entries, true);
    expect(settled.proven).toEqual([{ callId: id, costUsd: entry.costUsd, isSettled: true }]);
    const call = await new CorrectionLedger(stores.database).find(id);
    expect(call).toMatchObject({
      state: 'settled',
      settlement: 'reported',
      wasteReason: 'aborted',
      upperBoundUsd: undefined,
    });
    expect(call?.costUsd?.toFixed()).toBe(entry.costUsd);

    const lines = await newLines();
    expect(lines).toHaveLength(1);
    await stores.insertLines(lines);
    // The records have changed: the kept day is compared again, by itself.
    expect(await stores.service.refresh()).toBe(1);
    expect(await stores.service.refresh()).toBe(0);
    const { reconciliations } = await stores.service.list(
      { from: today, to: '9999-12-31', history: true, limit: 10 },
      {},
    );
    expect(reconciliations.map(({ state, reason }) => [state, reason])).toEqual([
      ['reconciled', 'ledger'],
      ['explained', 'bill'],
    ]);
    const again = await reconcile(provider, forms, entries, true);
    expect([again.proven, again.differences, again.ledgerUsd]).toEqual([[], [], again.billUsd]);
  },
);

it('nothing is settled that a settled call, billed twice, can explain', async () => {
  await abandonedCall();
  const today = new Date().toISOString().slice(0, 10);
  const sound = { id: 'sound', day: today, model: 'gpt-5-mini', input: 700, output: 9 };
  await stores.insert([recorded(sound)]);
  const entries = [billed(sound), billed({ ...sound, id: 'again' })];
  const report = await reconcile('openai', ['openai-usage', 'openai-costs'], entries, true);
  expect(report.proven).toEqual([]);
  expect(await newLines()).toEqual([]);
});

it('nothing is settled that another call can explain', async () => {
  await abandonedCall();
  await abandonedCall();
  const now = new Date();
  const entry = {
    ...billed({
      id: 'lost',
      day: now.toISOString().slice(0, 10),
      model: 'gpt-5-mini',
      input: 1200,
      output: 30,
    }),
    at: now.toISOString(),
  };
  for (const [provider, forms] of [
    ['openai', ['openai-usage', 'openai-costs']],
    ['openrouter', ['openrouter-generations']],
  ] as const) {
    const report = await reconcile(provider, forms, [entry], true);
    expect(report.proven).toEqual([]);
    expect(report.differences.map(({ cause }) => cause)).toEqual(['unsettled']);
  }
  expect(await newLines()).toEqual([]);
});

it('nothing is settled at more than its upper bound', async () => {
  await abandonedCall();
  const now = new Date();
  const entry = {
    ...billed({
      id: 'lost',
      day: now.toISOString().slice(0, 10),
      model: 'gpt-5-mini',
      input: 9_000_000,
      output: 30,
    }),
    at: now.toISOString(),
  };
  const report = await reconcile('openai', ['openai-usage', 'openai-costs'], [entry], true);
  expect(report.proven).toEqual([]);
});
