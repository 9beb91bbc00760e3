import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BillProvider } from '../../src/capabilities/costs/reconciliation/bill.ts';
import type { ReconciliationReport } from '../../src/capabilities/costs/reconciliation/reconciliation-document.ts';
import { countsOfCall, type UsageRecord } from '../../src/engine/export/usage-record.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { type BillForm, providerBill } from '../../src/simulator/provider-bills.ts';
import {
  billed,
  failedFields,
  openReconciliation,
  recorded,
  type ReconciliationStores,
  type SomeCall,
  unsettledFields,
} from './reconciled-calls.ts';

/* Faults that are planted in a bill of the simulator, and the names under which they are found. */

let stores: ReconciliationStores;

beforeAll(async () => {
  stores = await openReconciliation();
});
afterAll(() => stores.close());
beforeEach(() => stores.empty());

const operator = { actor: 'cli:test' };
const dayOne = '2026-03-02';
const dayTwo = '2026-03-03';

const call = (id: string, model: string, fields: Partial<SomeCall> = {}): SomeCall => ({
  id,
  day: dayOne,
  model,
  input: 1_000 + id.charCodeAt(id.length - 1),
  output: 100 + id.length,
  ...fields,
});

/** Three calls of a model that nothing is wrong with. */
const soundOf = (model: string, day = dayOne): readonly SomeCall[] =>
  ['a', 'b', 'c'].map((letter, index) =>
    call(`${model}-${day}-${letter}`, model, { day, cached: index * 128 }),
  );

interface World {
  readonly entries: BillEntry[];
  readonly records: UsageRecord[];
}

const soundWorld = (models: readonly string[], day = dayOne): World => {
  const calls = models.flatMap((model) => soundOf(model, day));
  return { entries: calls.map((one) => billed(one)), records: calls.map((one) => recorded(one)) };
};

const reconcile = async (
  provider: BillProvider,
  forms: readonly BillForm[],
  entries: readonly BillEntry[],
  change: (text: string) => string = (text) => text,
  settle = false,
): Promise<ReconciliationReport> =>
  await stores.service.reconcile(
    {
      provider,
      files: forms.map((form) => ({ name: form, text: change(providerBill(form, entries)) })),
      accounts: provider === 'openrouter' ? ['anthropic', 'openai'] : [],
      keys: [],
      settle,
    },
    operator,
  );

/** That ledger and differences add up to the bill everywhere. */
function expectSums(report: ReconciliationReport): void {
  for (const { capturedUsd, extraUsd, changedUsd, billUsd } of [report, ...report.days])
    expect(formatUsd(sumUsd([capturedUsd, extraUsd, changedUsd].map((part) => usd(part))))).toBe(billUsd);
  for (const one of [report, ...report.days, ...report.days.flatMap(({ rows }) => rows)]) {
    const all = sumUsd([usd(one.ledgerUsd), ...one.differences.map((difference) => usd(difference.usd))]);
    expect(formatUsd(all)).toBe(formatUsd(usd(one.billUsd)));
  }
}

/** The causes that were found of each model, by how its name begins. */
const causesOf = (report: ReconciliationReport, model: string): readonly string[] => [
  ...new Set(
    report.days
      .flatMap(({ rows }) => rows)
      .filter((row) => row.model.includes(model))
      .flatMap(({ differences }) => differences.map(({ cause }) => cause)),
  ),
];

const openai: readonly BillForm[] = ['openai-usage', 'openai-costs'];
const anthropic: readonly BillForm[] = ['anthropic-usage', 'anthropic-costs'];
const openaiModels = ['gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-4.1-mini', 'gpt-4o-mini'];
const anthropicModels = ['claude-sonnet-4-5', 'claude-haiku-4-5', 'claude-opus-4-5'];

describe('a bill without faults', () => {
  it.each([
    ['openai', openai, openaiModels],
    ['openai', ['openai-costs'], openaiModels],
    ['anthropic', anthropic, anthropicModels],
    ['anthropic', ['anthropic-costs'], anthropicModels],
    ['openrouter', ['openrouter-activity'], [...openaiModels, ...anthropicModels]],
    ['openrouter', ['openrouter-generations'], [...openaiModels, ...anthropicModels]],
  ] as const)('of %s (%s) is reconciled to the last decimal', async (provider, forms, models) => {
    const { entries, records } = soundWorld(models);
    await stores.insert(records);
    const report = await reconcile(provider, forms, entries);
    expect(report.differences).toEqual([]);
    expect(report.days.map(({ state }) => state)).toEqual(['reconciled']);
    expect(report.days.flatMap(({ rows }) => rows).every(({ isReconciled }) => isReconciled)).toBe(true);
    expect(report.billUsd).toBe(report.ledgerUsd);
    expect(report.billUsd).not.toBe('0');
  });
});

describe('faults in a bill of OpenAI', () => {
  it('that are on one day, each in another model, are found under their names', async () => {
    const { entries, records } = soundWorld(openaiModels);
    const moved = call('moved', 'gpt-5');
    records.push(recorded(moved));
    entries.push(billed({ ...moved, tier: 'flex' }));
    records.push(recorded(call('removed', 'gpt-5-mini')));
    const [doubled] = soundOf('gpt-5-nano');
    if (doubled !== undefined) entries.push(billed(doubled));
    entries.push(billed(call('outside', 'gpt-4.1-mini', { input: 77 })));
    const unpriced = call('unpriced', 'experimental-unpriced');
    records.push(recorded(unpriced, { counts: countsOfCall('reported', false) }));
    entries.push(billed(unpriced));
    await stores.insert(records);
    const report = await reconcile('openai', openai, entries, (text) =>
      text.replace(
        /("value": ")0(\.\d+",\s+"currency": "usd"\s+\},\s+"line_item": "gpt-4o-mini-2024-07-18, output")/,
        '$11$2',
      ),
    );
    expect(causesOf(report, 'gpt-5-2025')).toEqual(['tier']);
    expect(causesOf(report, 'gpt-5-mini')).toEqual(['not_billed']);
    expect(causesOf(report, 'gpt-5-nano')).toEqual(['billed_twice']);
    expect(causesOf(report, 'gpt-4.1-mini')).toEqual(['not_through_millrace']);
    expect(causesOf(report, 'gpt-4o-mini')).toEqual(['price']);
    expect(causesOf(report, 'experimental-unpriced')).toEqual(['unpriced']);
    expect(report.residualUsd).toBe('0');
    expect(report.days.map(({ state }) => state)).toEqual(['explained']);
    expectSums(report);
  });

  it('of calls that the ledger does not know the end of are found under their names', async () => {
    const { entries, records } = soundWorld(openaiModels, dayTwo);
    const two = { day: dayTwo };
    const died = recorded(call('died', 'gpt-5', two), unsettledFields('1'));
    const cancelled = recorded(call('cancelled', 'gpt-5-mini', two), unsettledFields('1', 'aborted'));
    const failed = recorded(call('failed', 'gpt-5-nano', two), failedFields);
    const guessed = recorded(call('guessed', 'gpt-4.1-mini', two), {
      settlement: 'estimated',
      tokens: { uncached_input: 900, text_output: 20 },
      counts: countsOfCall('estimated', true),
      upperBoundUsd: usd('1'),
    });
    records.push(died, cancelled, failed, guessed);
    for (const [id, model] of [
      ['died', 'gpt-5'],
      ['cancelled', 'gpt-5-mini'],
      ['failed', 'gpt-5-nano'],
      ['guessed', 'gpt-4.1-mini'],
    ] as const)
      entries.push(billed(call(id, model, two)));
    await stores.insert(records);
    const report = await reconcile('openai', openai, entries);
    expect(causesOf(report, 'gpt-5-2025')).toEqual(['unsettled']);
    expect(causesOf(report, 'gpt-5-mini')).toEqual(['cancelled_but_billed']);
    expect(causesOf(report, 'gpt-5-nano')).toEqual(['retry']);
    expect(causesOf(report, 'gpt-4.1-mini')).toEqual(['estimated']);
    expect(causesOf(report, 'gpt-4o-mini')).toEqual([]);
    expect(report.proven.map(({ callId }) => callId).toSorted()).toEqual(
      [died.callId, cancelled.callId].toSorted(),
    );
    const named = report.days.flatMap(({ rows }) => rows).flatMap(({ differences }) => differences);
    expect(named.find(({ cause }) => cause === 'unsettled')?.callIds).toEqual([died.callId]);
    expectSums(report);
  });

  it('of rounding are no more than half of the last digit a line', async () => {
    const { entries, records } = soundWorld(openaiModels);
    await stores.insert(records);
    const report = await reconcile('openai', openai, entries, (text) =>
      text.replace(/"value": "([\d.]+)"/g, (_, amount: string) => `"value": "${usd(amount).toFixed(6)}"`),
    );
    expect(report.differences.map(({ cause }) => cause)).toEqual(['rounding']);
    expect(report.days.map(({ state }) => state)).toEqual(['reconciled']);
    expectSums(report);
  });

  it('are not told apart where the bill cannot tell, and say so', async () => {
    const { entries, records } = soundWorld(['gpt-5-mini']);
    records.push(recorded(call('died', 'gpt-5-mini'), unsettledFields('1')));
    entries.push(billed(call('died', 'gpt-5-mini')), billed(call('outside', 'gpt-5-mini', { input: 5 })));
    await stores.insert(records);
    const report = await reconcile('openai', openai, entries);
    expect(causesOf(report, 'gpt-5-mini')).toEqual(['several']);
    expect(report.days[0]?.state).toBe('open');
    expect(report.residualUsd).not.toBe('0');
    expect(report.proven).toEqual([]);
    expectSums(report);
  });

  it('are of other keys when the bill names keys', async () => {
    const { entries, records } = soundWorld(['gpt-5-mini']);
    await stores.insert(records);
    const files = openai.map((form) => ({ name: form, text: providerBill(form, entries) }));
    const other = files[1]?.text.replaceAll('"project_id": null', '"project_id": "proj_other"') ?? '';
    const report = await stores.service.reconcile(
      {
        provider: 'openai',
        files: [{ name: 'costs', text: other }],
        accounts: [],
        keys: ['proj_ours'],
        settle: false,
      },
      operator,
    );
    expect(
      new Set(
        report.days[0]?.rows
          .filter(({ key }) => key === 'proj_other')
          .flatMap(({ differences }) => differences.map(({ cause }) => cause)),
      ),
    ).toEqual(new Set(['not_through_millrace']));
    expect(report.differences.map(({ cause }) => cause)).toEqual(['not_through_millrace', 'not_billed']);
    expectSums(report);
  });
});

describe('faults in a bill of Anthropic, which counts no requests', () => {
  it('are found under their names', async () => {
    const { entries, records } = soundWorld(anthropicModels);
    records.push(recorded(call('removed', 'claude-haiku-4-5')));
    entries.push(billed(call('outside', 'claude-sonnet-4-5', { input: 55 })));
    records.push(recorded(call('died', 'claude-opus-4-5'), unsettledFields('5')));
    entries.push(billed(call('died', 'claude-opus-4-5')));
    await stores.insert(records);
    const report = await reconcile('anthropic', anthropic, entries);
    expect(causesOf(report, 'haiku')).toEqual(['not_billed']);
    expect(causesOf(report, 'sonnet')).toEqual(['not_through_millrace']);
    expect(causesOf(report, 'opus')).toEqual(['unsettled']);
    expectSums(report);
  });

  it('are named by their amounts where only those are there', async () => {
    const { entries, records } = soundWorld(anthropicModels);
    records.push(recorded(call('died', 'claude-opus-4-5'), unsettledFields('5')));
    entries.push(billed(call('died', 'claude-opus-4-5')));
    await stores.insert(records);
    const report = await reconcile('anthropic', ['anthropic-costs'], entries);
    expect(causesOf(report, 'opus')).toEqual(['unsettled']);
    expectSums(report);
  });
});

describe('faults in a bill that lists requests', () => {
  it('are found under their names, all in one model', async () => {
    const { entries, records } = soundWorld(['gpt-5-mini']);
    const [first, second] = soundOf('gpt-5-mini');
    if (first === undefined || second === undefined) throw new Error('there are sound calls');
    records.push(recorded(call('removed', 'gpt-5-mini')));
    entries.push(billed(first));
    entries.push({ ...billed(call('outside', 'gpt-5-mini')), at: `${dayOne}T20:00:00.000Z` });
    const died = recorded(call('died', 'gpt-5-mini'), unsettledFields('1'));
    const cancelled = recorded(call('cancelled', 'gpt-5-mini'), {
      ...unsettledFields('1', 'aborted'),
      sentAt: new Date(`${dayOne}T15:00:00Z`),
      recordedAt: new Date(`${dayOne}T15:00:09Z`),
    });
    const failed = recorded(call('failed', 'gpt-5-mini'), failedFields);
    records.push(died, cancelled, failed);
    entries.push(billed(call('died', 'gpt-5-mini')), billed(call('failed', 'gpt-5-mini')));
    entries.push({ ...billed(call('cancelled', 'gpt-5-mini')), at: `${dayOne}T15:00:03.000Z` });
    await stores.insert(records);
    const dearer = billed(second);
    const report = await reconcile(
      'openrouter',
      ['openrouter-generations'],
      entries.map((entry) => (entry.requestId === dearer.requestId ? { ...entry, costUsd: '9' } : entry)),
    );
    expect([...causesOf(report, 'gpt-5-mini')].toSorted()).toEqual(
      [
        'billed_twice',
        'cancelled_but_billed',
        'not_billed',
        'not_through_millrace',
        'price',
        'retry',
        'unsettled',
      ].toSorted(),
    );
    expect(report.proven.map(({ callId }) => callId).toSorted()).toEqual(
      [died.callId, cancelled.callId].toSorted(),
    );
    expectSums(report);
  });
});
