import { expect, it } from 'vitest';
import { erasedAction } from './erased-actions.ts';

const pseudonym = 'erased-1';
const entry = (target: string, reason: string, detail: unknown) => ({
  target,
  reason,
  detail: JSON.stringify(detail),
});

it.each([
  [':', entry('key root', 'a : b', { key: 'x', scopes: ['costs:read'], team: ':' })],
  ['root', entry('key root', 'root', { key: 'x', team: 'root' })],
  ['beta', entry('stage beta', 'beta', { scope: 'stage', value: 'beta' })],
  ['team', entry('messages', 'team', { filter: { team: ['team'], customer: ['team-2'] } })],
  ['me', entry('customer me-too', 'me', { scope: 'customer', value: 'me-too' })],
])('leaves an entry that only has the letters of %s', (customer, before) => {
  expect(erasedAction(before, { customer, pseudonym })).toBeUndefined();
});

it('replaces the name where an entry is about it', () => {
  const name = { customer: ':', pseudonym };
  expect(erasedAction(entry('customer :', 'stop :, a:b', { scope: 'customer', value: ':' }), name)).toEqual(
    entry('customer erased-1', 'stop erased-1, a:b', { scope: 'customer', value: pseudonym }),
  );
  expect(erasedAction(entry('customer :', 'done', { pause: 'h', placedFor: 'for :' }), name)).toEqual(
    entry('customer erased-1', 'done', { pause: 'h', placedFor: 'for erased-1' }),
  );
  const again = (customer: string) => ({ scope: 'customer', value: customer, from: { placedFor: customer } });
  expect(erasedAction(entry('customer :', 'again', again(':')), name)).toEqual(
    entry('customer erased-1', 'again', again(pseudonym)),
  );
  const changes = (customer: string) => ({
    changes: [{ budget: ':', fields: { customer: { from: customer, to: 'b' }, team: { to: ':' } } }],
  });
  expect(erasedAction(entry('budgets', 'r', changes(':')), name)).toEqual(
    entry('budgets', 'r', changes(pseudonym)),
  );
});

it('changes for a team only what is that team’s', () => {
  const name = { customer: 'acme', team: 'alpha', pseudonym };
  const filtered = (customer: string, team?: string, by?: string) =>
    entry('messages', 'acme', {
      filter: { customer: [customer], ...(team === undefined ? {} : { team: [team] }) },
      ...(by === undefined ? {} : { team: by }),
    });
  for (const untouched of [
    filtered('acme'),
    filtered('acme', 'beta'),
    filtered('acme', 'beta', 'beta'),
    entry('customer acme', 'acme', { scope: 'customer', value: 'acme' }),
  ])
    expect(erasedAction(untouched, name)).toBeUndefined();
  expect(erasedAction(filtered('acme', 'alpha'), name)).toEqual(filtered(pseudonym, 'alpha'));
  expect(erasedAction(filtered('acme', undefined, 'alpha'), name)).toEqual({
    ...filtered(pseudonym, undefined, 'alpha'),
    reason: pseudonym,
  });
});
