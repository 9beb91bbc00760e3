import { generateText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { CorrectionLedger } from '../../src/engine/ledger/correction-ledger.ts';
import { type Script, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { CorrectionService } from '../../src/capabilities/corrections/correction-service.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { quotasOf, someBudget, stateOf } from '../support/budget-fixture.ts';
import { failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

/* An operator says what a call truly used. */

const ada = { actor: 'ada' };

let models: ModelsHarness;
let budgets: BudgetLedger;
let service: CorrectionService;

beforeAll(async () => {
  models = await openMeteredModels();
  budgets = new BudgetLedger(models.database);
  service = new CorrectionService({
    ledger: new CorrectionLedger(models.database),
    pricer: packagedPriceBook(),
    priceProviderOf: () => 'openai',
    clock: systemClock,
  });
});
beforeEach(async () => {
  await models.clear();
  await models.database.execute(
    'truncate millrace.quotas, millrace.quota_windows, millrace.operator_actions',
  );
});
afterEach(async () => expect(await budgets.findFaults()).toEqual([]));
afterAll(() => models.close());

/** Makes a call under a budget, and gives its id. */
async function called(script: Script): Promise<string> {
  const definitions = [someBudget(), someBudget({ name: 'tokens', limitTokens: '100000' })];
  await budgets.define(definitions);
  const model = new ScriptedModel(script, 'gpt-5-mini');
  const metered = models.metered(
    { scripted: { kind: 'custom', model: () => model } },
    { quotas: quotasOf(definitions, models.metrics) },
  );
  const scope = models.openScope(metered, await models.leasedMessage());
  await generateText({
    model: scope.languageModel('scripted/gpt-5-mini'),
    prompt: 'Good day',
    maxOutputTokens: 200,
  }).catch(() => undefined);
  await scope.close();
  return String((await models.callRows())[0]?.id);
}

async function sums() {
  const lines = await models.usageLines();
  const total = (column: string) => lines.reduce((sum, line) => sum + Number(line[column] ?? 0), 0);
  const money = (column: string) =>
    formatUsd(sumUsd(lines.map((line) => usd((line[column] as string | undefined) ?? '0'))));
  const { rows } = await models.database.query<{ count: number }>({
    name: 'test.actions',
    text: `select count(*)::int as count from millrace.operator_actions where action = 'calls.correct'`,
  });
  const { spent, reserved } = await stateOf(budgets);
  return {
    calls: total('calls'),
    estimated: total('estimated_calls'),
    suspect: total('suspect_calls'),
    unsettled: total('unsettled_calls'),
    input: total('tokens_uncached_input'),
    output: total('tokens_text_output'),
    cost: money('cost_usd'),
    open: money('upper_bound_usd'),
    spent: formatUsd(spent),
    reserved: formatUsd(reserved),
    tokens: formatUsd((await stateOf(budgets, 'tokens')).spent),
    audited: rows[0]?.count,
  };
}

const truth = { uncached_input: 8, text_output: 50 };
// 8 × 0.25 + 50 × 2 dollars a million
const price = '0.000102';
const corrected = {
  calls: 1,
  estimated: 0,
  suspect: 0,
  unsettled: 0,
  input: 8,
  output: 50,
  cost: price,
  open: '0',
  spent: price,
  reserved: '0',
  tokens: '58',
  audited: 1,
};

describe('the usage of a call is corrected', () => {
  it.each<readonly [string, Script]>([
    ['reported', [{ text: 'yes', usage: { uncachedInput: 4, textOutput: 190 } }]],
    ['suspect', [{ text: 'yes', usage: { uncachedInput: 4, textOutput: 5_000_000 } }]],
    ['unknown', [{ error: new Error('broken') }]],
  ])('when it was %s: records, row, budget and audit say so', async (_what, script) => {
    const id = await called(script);
    const before = await sums();
    const request = { id, tokens: truth, dryRun: true, reason: 'the bill' };
    expect(await service.correct(request, ada)).toMatchObject({
      isChanged: true,
      after: { costUsd: price },
    });
    expect(await sums()).toEqual(before);
    expect(await service.correct({ ...request, dryRun: false }, ada)).toMatchObject({ isChanged: true });
    expect(await sums()).toEqual(corrected);
    expect(await models.callRows()).toMatchObject([
      { state: 'settled', settlement: 'reported', is_suspect: false, cost_usd: price },
    ]);
  });

  it('twice changes nothing more, and again by what was billed', async () => {
    const id = await called([{ text: 'yes', usage: { uncachedInput: 4, textOutput: 190 } }]);
    const request = { id, tokens: truth, dryRun: false, reason: 'the bill' };
    await service.correct(request, ada);
    expect(await service.correct(request, ada)).toMatchObject({ isChanged: false });
    expect(await sums()).toEqual(corrected);
    await service.correct({ ...request, costUsd: usd('0.0002') }, ada);
    expect(await sums()).toEqual({ ...corrected, cost: '0.0002', spent: '0.0002', audited: 2 });
  });

  it('two at once as one: the other is told that the call has changed', async () => {
    const id = await called(() => ({ text: 'Hello.', usage: { uncachedInput: 10, textOutput: 5 } }));
    const [call] = await models.callRows();
    const tokens = JSON.parse(String(call?.tokens)) as Record<string, number>;
    const request = (costUsd: string) => ({
      id,
      tokens,
      costUsd: usd(costUsd),
      dryRun: false,
      reason: 'the bill',
    });
    const ended = await Promise.allSettled(['0.1', '0.2'].map((cost) => service.correct(request(cost), ada)));
    expect(ended.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const [row] = await models.callRows();
    const { cost, spent } = await sums();
    expect([cost, spent]).toEqual([row?.cost_usd, row?.cost_usd]);
  });

  it('only where there is such a call, of the operator’s team', async () => {
    for (const id of ['no-id', '01890a5d-ac96-774b-bcce-b302099a8057']) {
      const request = { id, tokens: truth, dryRun: false, reason: 'the bill' };
      expect(await failureOf(service.correct(request, ada))).toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
    }
    const id = await called(['yes']);
    const request = { id, tokens: truth, dryRun: false, reason: 'the bill' };
    expect(await failureOf(service.correct(request, { ...ada, team: 'another' }))).toMatchObject({
      code: 'MILLRACE_FORBIDDEN',
    });
  });
});
