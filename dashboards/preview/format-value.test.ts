import { expect, it } from 'vitest';
import { formatValue } from './format-value.ts';

it.each([
  [0.9862, 'percentunit', 2, '98.62 %'],
  [1, 'percentunit', undefined, '100 %'],
  [0, 's', undefined, '0 s'],
  [0.0123, 's', undefined, '12.3 ms'],
  [75.6, 's', undefined, '1.26 min'],
  [90_000, 's', undefined, '1.04 days'],
  [0.001_39, 'currencyUSD', undefined, '$0.00139'],
  [12.345, 'currencyUSD', undefined, '$12.35'],
  [1234, 'currencyUSD', undefined, '$1.23 K'],
  [-2, 'currencyUSD', undefined, '-$2'],
  [1_048_576, 'bytes', undefined, '1 MiB'],
  [1500, 'reqps', undefined, '1.5 Kreq/s'],
  [20, 'short', undefined, '20'],
  [100, 'short', 0, '100'],
  [null, 'short', undefined, '–'],
])('%s in %s with %s decimals is %s', (value, unit, decimals, text) => {
  expect(formatValue(value, unit, decimals)).toBe(text);
});
