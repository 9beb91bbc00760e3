import { describe, expect, it } from 'vitest';
import { type BookedBudget, BudgetBook } from './budget-book.ts';
import type { BudgetSubject } from './budget-scope.ts';

const origin = { team: 'blue', customer: 'acme', feature: 'search', batch: 'night' };
const call = { origin, pipeline: 'docs', model: 'openai/gpt-5' };

function booked(name: string, scope: Partial<BookedBudget>): BookedBudget {
  return {
    name,
    team: undefined,
    customer: undefined,
    feature: undefined,
    batch: undefined,
    pipeline: undefined,
    model: undefined,
    unit: 'usd',
    window: 'month',
    switchTo: undefined,
    atLimit: 'park',
    unpriced: 'refuse',
    ...scope,
  };
}

describe('a book of budgets', () => {
  const book = new BudgetBook([
    booked('everything', {}),
    booked('blue', { team: 'blue' }),
    booked('green', { team: 'green' }),
    booked('acme searches', { customer: 'acme', feature: 'search' }),
    booked('acme drafts', { customer: 'acme', feature: 'draft' }),
    booked('blue for other', { team: 'blue', customer: 'other' }),
    booked('exactly', { team: 'blue', customer: 'acme', feature: 'search' }),
  ]);

  it('finds every budget whose parts all fit the origin', () => {
    expect(book.concerning(call).map(({ name }) => name)).toEqual([
      'everything',
      'blue',
      'acme searches',
      'exactly',
    ]);
  });

  it('finds those over everything for whomever', () => {
    const names = book
      .concerning({ ...call, origin: { team: 'x', customer: 'y', feature: 'z' } })
      .map(({ name }) => name);
    expect(names).toEqual(['everything']);
  });

  it('finds those of a batch, a pipeline, a model and all models of a provider', () => {
    const more = new BudgetBook([
      booked('night', { batch: 'night' }),
      booked('day', { batch: 'day' }),
      booked('docs', { pipeline: 'docs' }),
      booked('mails', { pipeline: 'mails' }),
      booked('gpt-5', { model: 'openai/gpt-5' }),
      booked('gpt', { model: 'openai/gpt' }),
      booked('openai', { model: 'openai/*' }),
      booked('anthropic', { model: 'anthropic/*' }),
    ]);
    const found = (subject: BudgetSubject) => more.concerning(subject).map(({ name }) => name);
    expect(found(call)).toEqual(['night', 'docs', 'gpt-5', 'openai']);
    expect(found({ ...call, pipeline: undefined, model: undefined })).toEqual(['night']);
  });

  it('leaves out of a budget the calls of the model that it switches to', () => {
    const switching = new BudgetBook([booked('blue', { atLimit: 'switch', switchTo: 'openai/gpt-5-nano' })]);
    expect(switching.concerning(call)).toHaveLength(1);
    expect(switching.concerning({ ...call, model: 'openai/gpt-5-nano' })).toEqual([]);
  });

  it('holds what it was given last', () => {
    const changing = new BudgetBook();
    expect(changing.concerning(call)).toEqual([]);
    changing.replace([booked('blue', { team: 'blue' })]);
    expect(changing.concerning(call)).toHaveLength(1);
  });
});
