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
  [6.7, 'currencyUSD', undefined, '$6.70'],
  [40, 'currencyUSD', undefined, '$40'],
  [1234, 'currencyUSD', undefined, '$1.23 K'],
  [-2, 'currencyUSD', undefined, '-$2'],
  [1_048_576, 'bytes', undefined, '1 MiB'],
  [1500, 'reqps', undefined, '1.5 Kreq/s'],
  [2.25, 'mps', undefined, '2.25 msg/s'],
  [12_345.3, 'locale', 0, '12,345'],
  [40, 'recps', undefined, '40 rec/s'],
  [3.14, 'suffix:×', 1, '3.1×'],
  [-0.001, 'percentunit', 0, '0 %'],
  [20, 'short', undefined, '20'],
  [100, 'short', 0, '100'],
  [null, 'short', undefined, '–'],
])('%s in %s with %s decimals is %s', (value, unit, decimals, text) => {
  expect(formatValue(value, unit, decimals)).toBe(text);
});
