import { expect, it } from 'vitest';
import { failureDetail } from '../../src/engine/pipeline/run-outcome.ts';
import { readableError } from '../../src/kernel/readable-error.ts';
import { allOddErrors } from './odd-errors.ts';

it('throws what cannot be told as it is, and all of it can be recorded', () => {
  const isUntellable = (error: unknown): boolean => {
    try {
      return JSON.stringify({ error, message: String(error) }) === undefined;
    } catch {
      return true;
    }
  };
  const errors = allOddErrors();
  expect(errors.filter((error) => isUntellable(error)).length).toBeGreaterThan(8);
  for (const error of errors) {
    const { chain } = JSON.parse(failureDetail(readableError(error))) as { chain: { message: unknown }[] };
    expect(chain.length).toBeGreaterThan(0);
    for (const { message } of chain) expect(typeof message).toBe('string');
  }
});
