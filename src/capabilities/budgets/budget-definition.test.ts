import { expect, it } from 'vitest';
import { usd } from '../../kernel/money.ts';
import { budgetChanges, type BudgetDefinition } from './budget-definition.ts';

const search: BudgetDefinition = {
  name: 'search',
  team: 'blue',
  customer: undefined,
  feature: undefined,
  batch: undefined,
  pipeline: undefined,
  model: undefined,
  window: 'month',
  timeZone: 'UTC',
  unit: 'usd',
  limit: usd('2500.00'),
  switchTo: undefined,
  alertAt: [],
  atLimit: 'park',
  unpriced: 'refuse',
};

it('finds nothing to change where the same is said in other words', () => {
  expect(budgetChanges([], [])).toEqual([]);
  expect(budgetChanges([search], [{ ...search, limit: usd('2500') }])).toEqual([]);
});

it('names what was added, changed and removed, by field and by name', () => {
  const wide = { ...search, name: 'all', team: undefined };
  expect(
    budgetChanges(
      [search, { ...search, name: 'gone' }],
      [{ ...search, team: undefined, customer: 'acme', limit: usd('2500.01') }, wide],
    ),
  ).toEqual([
    {
      budget: 'all',
      change: 'added',
      fields: {
        window: { to: 'month' },
        limitUsd: { to: '2500' },
        atLimit: { to: 'park' },
        unpriced: { to: 'refuse' },
      },
    },
    {
      budget: 'gone',
      change: 'removed',
      fields: {
        team: { from: 'blue' },
        window: { from: 'month' },
        limitUsd: { from: '2500' },
        atLimit: { from: 'park' },
        unpriced: { from: 'refuse' },
      },
    },
    {
      budget: 'search',
      change: 'changed',
      fields: {
        team: { from: 'blue' },
        customer: { to: 'acme' },
        limitUsd: { from: '2500', to: '2500.01' },
      },
    },
  ]);
});
