import { expect, it } from 'vitest';
import { waitName } from './wait-name.ts';

it('is a text that every column takes, wherever it is cut', () => {
  for (let length = 180; length <= 205; length += 1) {
    const name = waitName('rate_limit', `${'x'.repeat(length)}💥`);
    expect(name.isWellFormed()).toBe(true);
    expect(name.length).toBeLessThanOrEqual(200);
  }
  expect(waitName('pause', 'a\u0000\ud83d')).toBe('pause:a\uFFFD\uFFFD');
});
