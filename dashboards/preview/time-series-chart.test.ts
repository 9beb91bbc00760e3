import { expect, it } from 'vitest';
import { withGaps } from './time-series-chart.ts';

it('lets no line lead over a time without values', () => {
  expect(withGaps([2, 4, 6, 20, 22], 2)).toEqual([2, 4, 6, 8, 20, 22]);
});
