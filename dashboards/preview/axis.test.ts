import { expect, it } from 'vitest';
import { niceInterval } from './axis.ts';

it.each([
  ['s', 4, undefined],
  ['s', 70, 15],
  ['s', 900, 300],
  ['bytes', 1_000_000_000, 268_435_456],
  ['short', 900, undefined],
])('an axis in %s up to %s has ticks every %s', (unit, highest, interval) => {
  expect(niceInterval(unit, highest)).toBe(interval);
});
