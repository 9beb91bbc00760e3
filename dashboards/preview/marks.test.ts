import { expect, it } from 'vitest';
import { beginnings } from './marks.ts';

it('finds where each unbroken stretch begins', () => {
  const points = [10, 12, 14, 20, 22, 40].map((seconds) => [seconds, 1] as const);
  expect(beginnings(points, 2)).toEqual([10, 20, 40]);
  expect(beginnings([], 2)).toEqual([]);
});
