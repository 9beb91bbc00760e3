import { expect, it } from 'vitest';
import { LogOnce } from './log-once.ts';

it('says once that a key is new', () => {
  const once = new LogOnce();
  expect([once.isNew('a'), once.isNew('a'), once.isNew('b'), once.isNew('a')]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

it('forgets the key seen longest ago when its memory is full', () => {
  const once = new LogOnce(2);
  once.isNew('a');
  once.isNew('b');
  once.isNew('a');
  once.isNew('c');
  expect(once.isNew('a')).toBe(false);
  expect(once.isNew('b')).toBe(true);
});
