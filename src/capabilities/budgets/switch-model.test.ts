import { describe, expect, it } from 'vitest';
import { ProviderRegistry } from '../../engine/providers/provider-registry.ts';
import { systemClock } from '../../kernel/clock.ts';
import { packagedPriceBook } from '../../pricing/packaged-price-book.ts';
import { ScriptedModel } from '../../testing/scripted-model.ts';
import type { CheckSources } from '../startup-check.ts';
import type { BudgetLedger } from './budget-ledger.ts';
import type { BudgetOperations } from './budget-operations.ts';
import { setBudgetSchema } from './budget-requests.ts';
import { BudgetService } from './budget-service.ts';
import { budgetSettings } from './budget-settings.ts';
import { checkBudgets } from './check-budgets.ts';

/* A budget that switches to a model which nobody can be asked, or of which nobody knows the price. */

const models = {
  providers: new ProviderRegistry({ openai: { kind: 'custom', model: (id) => new ScriptedModel([], id) } }),
  pricer: packagedPriceBook(),
  clock: systemClock,
};
const base = { window: 'day', limitUsd: '1' };

const cases = [
  [{ atLimit: { switchTo: 'openai/gpt-5-mini' } }, undefined],
  [
    { atLimit: { switchTo: 'nowhere/gpt-5-mini' } },
    'nowhere/gpt-5-mini is no model of a configured provider',
  ],
  [{ atLimit: { switchTo: 'openai/gpt-99' } }, 'no price is known for openai/gpt-99'],
  [{ atLimit: { switchTo: 'openai/gpt-99' }, unpriced: 'allow' }, undefined],
  [{ atLimit: 'park' }, undefined],
] as const;

describe('a budget that switches to another model', () => {
  it.each(cases)('is found by the check of a start where that is none: %j', async (fields, problem) => {
    const settings = { budgets: budgetSettings.parse([{ name: 'small', ...base, ...fields }]) };
    const findings = await checkBudgets({ settings, ...models } as unknown as CheckSources<typeof settings>);
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual(
      problem === undefined ? [] : [['budget_switch_unknown', 'warning']],
    );
    if (problem !== undefined) expect(findings[0]?.what).toContain(problem);
  });

  it.each(cases)('is refused where an operator sets it: %j', async (fields, problem) => {
    const set: string[] = [];
    const service = new BudgetService({
      ledger: {
        read: () => Promise.resolve([]),
        countWaiting: () => Promise.resolve(new Map()),
      } as unknown as BudgetLedger,
      operations: { set: ({ name }: { name: string }) => set.push(name) } as unknown as BudgetOperations,
      models,
    });
    const order = setBudgetSchema.parse({ ...base, ...fields, reason: 'r' });
    const refusal: unknown = await service
      .set('small', order, { actor: 'ada' })
      .catch((error: unknown) => error);
    if (problem === undefined) {
      // What was set is read again; these stores keep nothing.
      expect(refusal).toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
      expect(set).toEqual(['small']);
    } else {
      expect(refusal).toMatchObject({
        code: 'MILLRACE_REQUEST_INVALID',
        faults: [{ field: 'atLimit.switchTo', problem: expect.stringContaining(problem) as unknown }],
      });
      expect(set).toEqual([]);
    }
  });
});
