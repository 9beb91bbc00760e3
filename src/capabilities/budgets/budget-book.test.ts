import { describe, expect, it } from 'vitest';
import { type BookedBudget, BudgetBook } from './budget-book.ts';

const origin = { team: 'blue', customer: 'acme', feature: 'search', batch: 'night' };

function booked(name: string, scope: Partial<BookedBudget>): BookedBudget {
  return {
    name,
    team: undefined,
    customer: undefined,
    feature: undefined,
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
    expect(book.concerning(origin).map(({ name }) => name)).toEqual([
      'everything',
      'blue',
      'acme searches',
      'exactly',
    ]);
  });

  it('finds those over everything for whomever', () => {
    const names = book.concerning({ team: 'x', customer: 'y', feature: 'z' }).map(({ name }) => name);
    expect(names).toEqual(['everything']);
  });

  it('holds what it was given last', () => {
    const changing = new BudgetBook();
    expect(changing.concerning(origin)).toEqual([]);
    changing.replace([booked('blue', { team: 'blue' })]);
    expect(changing.concerning(origin)).toHaveLength(1);
  });
});
