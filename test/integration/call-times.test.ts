import { generateText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Uuid } from '../../src/kernel/ids.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { CorrectionLedger } from '../../src/engine/ledger/correction-ledger.ts';
import { AbandonedCalls } from '../../src/engine/maintenance/abandoned-calls.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { CorrectionService } from '../../src/capabilities/corrections/correction-service.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { quotasOf, someBudget } from '../support/budget-fixture.ts';
import { type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';
import { SettableClock } from '../support/settable-clock.ts';

/* Every record about a call carries the time that the ledger reserved it at, whatever the clock of its process shows. */

const hourMs = 3_600_000;
const usage = { uncachedInput: 10, textOutput: 100 };

describe.each([
  ['an hour ahead', hourMs],
  ['an hour behind', -hourMs],
])('with the clock of its process %s', (_, offMs) => {
  const { clock } = new SettableClock(offMs);
  let models: ModelsHarness;
  beforeAll(async () => {
    models = await openMeteredModels();
  });
  beforeEach(async () => {
    await models.clear();
    await models.database.execute('truncate millrace.quotas, millrace.quota_windows');
  });
  afterEach(async () => expect(await new BudgetLedger(models.database).findFaults()).toEqual([]));
  afterAll(() => models.close());

  /** A scope that makes calls on that machine, and its model. */
  async function scopeOf(budgeted: boolean, answers = Promise.resolve()) {
    const definitions = budgeted ? [someBudget({ window: 'hour' })] : [];
    await new BudgetLedger(models.database).define(definitions);
    const model = new ScriptedModel(async () => {
      await answers;
      return { text: 'Good day.', usage };
    }, 'gpt-5-mini');
    const metered = models.metered(
      { scripted: { kind: 'custom', model: () => model } },
      { quotas: quotasOf(definitions, models.metrics), clock },
    );
    const scope = models.openScope(metered, await models.leasedMessage());
    const ask = () =>
      generateText({ model: scope.languageModel('scripted/gpt-5-mini'), prompt: 'Hi', maxOutputTokens: 200 });
    return { scope, ask };
  }

  /** When the ledger reserved its one call, and what the records about it say of that. */
  async function times() {
    const { rows } = await models.database.query<{ id: Uuid; at: string }>({
      name: 'test.reserved',
      text: `select id, to_char(date_trunc('milliseconds', reserved_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') as at
        from millrace.calls`,
    });
    const lines = await models.usageLines();
    return { id: rows[0]?.id ?? '', reserved: rows[0]?.at, recorded: lines.map((line) => line['ts']) };
  }

  it.each([
    ['under no budget', false],
    ['under a budget', true],
  ])(
    'a call %s is recorded at that time, and in the window that it is charged to',
    async (_name, budgeted) => {
      const { scope, ask } = await scopeOf(budgeted);
      await ask();
      await scope.close();
      const { reserved, recorded } = await times();
      expect(recorded).toEqual([reserved]);
      const { rows } = await models.database.query<{ fits: boolean }>({
        name: 'test.window',
        text: `select date_trunc('hour', c.reserved_at, 'UTC') = (c.quotas -> 0 ->> 'window_start')::timestamptz as fits
        from millrace.calls c where c.quotas is not null`,
      });
      expect(rows).toEqual(budgeted ? [{ fits: true }] : []);
    },
  );

  it('so are the corrections of an answer that is rejected', async () => {
    const { scope, ask } = await scopeOf(false);
    await ask();
    await scope.given.invalidateAnswer((await times()).id);
    await scope.close();
    const { reserved, recorded } = await times();
    expect(recorded).toEqual([reserved, reserved, reserved]);
  });

  it('so are a call that was given up, and its late settlement', async () => {
    const answered = Promise.withResolvers<undefined>();
    const { scope, ask } = await scopeOf(true, answered.promise);
    const asked = ask();
    await expect.poll(async () => (await times()).reserved).toBeDefined();
    await models.database.execute(
      `update millrace.messages set lease_until = clock_timestamp() - interval '1 ms'`,
    );
    expect(await new AbandonedCalls({ ledger: models.calls, clock }).settleAbandoned()).toBe(1);
    answered.resolve(undefined);
    await asked;
    await scope.close();
    const { reserved, recorded } = await times();
    expect(recorded).toEqual([reserved, reserved, reserved]);
  });

  it("so is an operator's correction", async () => {
    const { scope, ask } = await scopeOf(true);
    await ask();
    await scope.close();
    const service = new CorrectionService({
      ledger: new CorrectionLedger(models.database),
      pricer: packagedPriceBook(),
      priceProviderOf: () => 'openai',
      clock: systemClock,
    });
    const { id } = await times();
    await service.correct(
      { id, tokens: { uncached_input: 5 }, dryRun: false, reason: 'the bill' },
      { actor: 'ada' },
    );
    const { reserved, recorded } = await times();
    expect(recorded).toEqual([reserved, reserved]);
  });
});
