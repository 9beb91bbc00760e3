import { generateText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Parked } from '../../src/engine/parked.ts';
import type { BudgetDefinition } from '../../src/capabilities/budgets/budget-definition.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { formatUsd } from '../../src/kernel/money.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import { refusal, type Script, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { quotasOf, someBudget, stateOf } from '../support/budget-fixture.ts';
import { failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

/* Metered models under budgets: what a handler's calls do to them, and what it gets when they do not fit. */

const usage = { uncachedInput: 4, textOutput: 100 };
const cost = '0.000201';

let models: ModelsHarness;
let budgets: BudgetLedger;
const scopes: CallGroup[] = [];

beforeAll(async () => {
  models = await openMeteredModels();
  budgets = new BudgetLedger(models.database);
});
beforeEach(async () => {
  await models.clear();
  await models.database.execute('truncate millrace.quotas, millrace.quota_windows');
});
afterEach(async () => {
  expect(await budgets.findFaults()).toEqual([]);
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});
afterAll(() => models.close());

async function scopeUnder(
  definitions: readonly BudgetDefinition[],
  script: Script,
  modelId = 'gpt-5-mini',
): Promise<{ readonly ask: () => Promise<string>; readonly model: ScriptedModel }> {
  await budgets.define(definitions);
  const model = new ScriptedModel(script, modelId);
  const metered = models.metered(
    { scripted: { kind: 'custom', model: () => model } },
    { quotas: quotasOf(definitions, models.metrics) },
  );
  const scope = models.openScope(metered, await models.leasedMessage());
  scopes.push(scope);
  const ask = async (): Promise<string> => {
    const prompt = 'Good day';
    const settings = { prompt, maxOutputTokens: 200 };
    return (await generateText({ model: scope.languageModel(`scripted/${modelId}`), ...settings })).text;
  };
  return { ask, model };
}

async function spent(): Promise<string> {
  const { spent, reserved } = await stateOf(budgets);
  return `${formatUsd(spent)} spent, ${formatUsd(reserved)} reserved`;
}

describe('a call under a budget that switches', () => {
  const [meant, cheap, cheapest] = ['openai/gpt-5', 'openai/gpt-5-mini', 'openai/gpt-5-nano'] as const;

  async function switching(definitions: readonly BudgetDefinition[]) {
    await budgets.define(definitions);
    const asked: string[] = [];
    const provider = {
      kind: 'custom' as const,
      model: (id: string) =>
        new ScriptedModel(() => {
          asked.push(id);
          return { text: id, usage };
        }, id),
    };
    const metered = models.metered({ openai: provider }, { quotas: quotasOf(definitions, models.metrics) });
    const scope = models.openScope(metered, await models.leasedMessage());
    scopes.push(scope);
    const settings = { prompt: 'Good day', maxOutputTokens: 200 };
    const ask = async () => (await generateText({ model: scope.languageModel(meant), ...settings })).text;
    return { ask, asked };
  }

  it('is made with the cheaper model, outside of that budget and within the others', async () => {
    const { ask, asked } = await switching([
      someBudget({ name: 'good', limitUsd: '0.003', atLimit: 'switch', switchTo: cheap }),
      someBudget({ name: 'all', team: undefined, limitUsd: '1' }),
    ]);
    expect(await ask()).toBe('gpt-5');
    expect([await ask(), await ask()]).toEqual(['gpt-5-mini', 'gpt-5-mini']);
    expect(asked).toHaveLength(3);
    const [first, second] = await models.callRows();
    expect(first).toMatchObject({ model: 'gpt-5', state: 'settled' });
    expect(second).toMatchObject({ model: 'gpt-5-mini', state: 'settled' });
    const lines = await models.usageLines();
    expect(lines.map((line) => line['fallback_from'])).toEqual([undefined, meant, meant]);
    expect(formatUsd((await stateOf(budgets, 'good')).spent)).toBe('0.001005');
    expect(formatUsd((await stateOf(budgets, 'all')).spent)).toBe('0.001407');
    expect(await models.metricLines('budget_refusals_total{')).toContain(
      'millrace_budget_refusals_total{budget="good",action="switched"} 2',
    );
  });

  it('goes from model to model, and waits for the budget that has no room for the last', async () => {
    const ofModel = (name: string, model: string, switchTo: string) =>
      someBudget({ name, model, switchTo, atLimit: 'switch', limitUsd: '0.00001' });
    const { ask, asked } = await switching([
      ofModel('first', meant, cheap),
      ofModel('second', cheap, cheapest),
      someBudget({ name: 'all', limitUsd: '0.00012' }),
    ]);
    expect(await ask()).toBe('gpt-5-nano');
    const error = await failureOf(ask());
    expect(error).toMatchObject({ reason: 'budget', parkedFor: 'budget:all' });
    expect(asked).toEqual(['gpt-5-nano']);
  });

  it('goes in no circle', async () => {
    const ofModel = (name: string, model: string, switchTo: string) =>
      someBudget({ name, model, switchTo, atLimit: 'switch', limitUsd: '0.00001' });
    const { ask, asked } = await switching([ofModel('there', meant, cheap), ofModel('back', cheap, meant)]);
    expect(await failureOf(ask())).toMatchObject({ reason: 'budget' });
    expect(asked).toEqual([]);
  });

  it.each(['nobody/x', 'openai/'])('waits where nobody has the other model (%s)', async (switchTo) => {
    const { ask, asked } = await switching([
      someBudget({ name: 'there', model: meant, switchTo, atLimit: 'switch', limitUsd: '0.00001' }),
    ]);
    expect(await failureOf(ask())).toMatchObject({ reason: 'budget' });
    expect(asked).toEqual([]);
  });
});

describe('a call under a budget of tokens', () => {
  it('reserves all tokens that it can use, and leaves those that it used', async () => {
    let during = '';
    const { ask } = await scopeUnder([someBudget({ limitTokens: '100000', unpriced: 'allow' })], async () => {
      during = await spent();
      return { text: 'yes', usage };
    });
    await ask();
    expect(during).toMatch(/^0 spent, 2[0-9]{2} reserved$/);
    expect(await spent()).toBe('104 spent, 0 reserved');
  });

  it('is refused for good when it can use more than the whole budget', async () => {
    const { ask, model } = await scopeUnder(
      [someBudget({ limitTokens: '100', unpriced: 'allow' })],
      ['never'],
    );
    const error = await failureOf(ask());
    expect(error).toMatchObject({ code: 'MILLRACE_BUDGET_CALL_TOO_LARGE' });
    expect(error.message).toMatch(/up to \d+ tokens.*100 tokens in all/);
    expect(model.requests).toHaveLength(0);
  });

  it('passes without a price, and a budget that counts by model concerns that model alone', async () => {
    const { ask } = await scopeUnder(
      [
        someBudget({ limitTokens: '100000', unpriced: 'allow', model: 'scripted/unheard-of' }),
        someBudget({ name: 'other', limitTokens: '1', unpriced: 'allow', model: 'scripted/other' }),
        someBudget({ name: 'batch', limitTokens: '1', unpriced: 'allow', batch: 'night' }),
        someBudget({ name: 'pipeline', limitTokens: '1', unpriced: 'allow', pipeline: 'mails' }),
      ],
      () => ({ text: 'yes', usage }),
      'unheard-of',
    );
    expect(await ask()).toBe('yes');
    expect(await spent()).toBe('104 spent, 0 reserved');
  });
});

describe('a call under a budget', () => {
  it('reserves its upper bound while it is in the air, and leaves its cost', async () => {
    let during = '';
    const { ask } = await scopeUnder([someBudget()], async () => {
      during = await spent();
      return { text: 'yes', usage };
    });
    await ask();
    expect(during).toMatch(/^0 spent, 0\.000[4-9]\d* reserved$/);
    expect(await spent()).toBe(`${cost} spent, 0 reserved`);
  });

  it('gives back all when the provider refused it', async () => {
    const { ask } = await scopeUnder([someBudget()], [{ error: refusal(429, 'slow down') }]);
    expect((await failureOf(ask())).code).toBe('MILLRACE_MODEL_RATE_LIMITED');
    expect(await spent()).toBe('0 spent, 0 reserved');
  });

  it('waits for the budget when there is no room, and is not sent', async () => {
    const { ask, model } = await scopeUnder([someBudget({ limitUsd: '0.0006' })], () => ({
      text: 'yes',
      usage,
    }));
    await ask();
    const error = await failureOf(ask());
    expect(error).toBeInstanceOf(Parked);
    expect(error).toMatchObject({ reason: 'budget', parkedFor: 'budget:search', delayMs: undefined });
    expect(error.message).toContain('"search" of 0.0006 USD');
    expect(model.requests).toHaveLength(1);
    expect(await spent()).toBe(`${cost} spent, 0 reserved`);
    expect(await models.metricLines('budget_refusals_total{')).toContain(
      'millrace_budget_refusals_total{budget="search",action="parked"} 1',
    );
  });

  it('is refused for good when it is larger than the whole budget', async () => {
    const { ask, model } = await scopeUnder([someBudget({ limitUsd: '0.0003' })], ['never']);
    const error = await failureOf(ask());
    expect(error).toMatchObject({ code: 'MILLRACE_BUDGET_CALL_TOO_LARGE', retryable: false });
    expect(error.message).toMatch(/up to 0\.000\d+ USD.*0\.0003 USD/);
    expect(model.requests).toHaveLength(0);
  });

  it('is refused when no price is known, unless the budget allows that', async () => {
    const strict = await scopeUnder([someBudget()], ['never'], 'unheard-of');
    expect(await failureOf(strict.ask())).toMatchObject({
      code: 'MILLRACE_BUDGET_UNPRICED',
      retryable: false,
    });
    expect(strict.model.requests).toHaveLength(0);
    const lenient = await scopeUnder([someBudget({ unpriced: 'allow' })], ['yes'], 'unheard-of');
    expect(await lenient.ask()).toBe('yes');
    expect(await spent()).toBe('0 spent, 0 reserved');
  });

  it('counts in every budget that concerns its origin, and in no other', async () => {
    const { ask } = await scopeUnder(
      [
        someBudget(),
        someBudget({ name: 'all', team: undefined }),
        someBudget({ name: 'green', team: 'green', limitUsd: '0.000001' }),
      ],
      () => ({ text: 'yes', usage }),
    );
    await ask();
    const spentIn = async (name: string) => formatUsd((await stateOf(budgets, name)).spent);
    expect([await spentIn('search'), await spentIn('all'), await spentIn('green')]).toEqual([
      cost,
      cost,
      '0',
    ]);
  });
});
