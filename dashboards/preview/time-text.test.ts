import { expect, it } from 'vitest';
import { timeText } from './time-text.ts';

it.each([
  [180, '14:05:30'],
  [6 * 3600, '14:05'],
  [7 * 86_400, '22 Nov'],
])('in a range of %s seconds a time is %s', (toSeconds, text) => {
  expect(timeText(Date.UTC(2026, 10, 22, 14, 5, 30), { fromSeconds: 0, toSeconds })).toBe(text);
});
