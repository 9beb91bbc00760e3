import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { describeProblem } from './problem.ts';

describe('a problem document', () => {
  it('is bounded as a whole, and says how many faults it leaves out', () => {
    const faults = Array.from({ length: 1000 }, (_, at) => ({
      field: `line ${at}`,
      // Six characters each in JSON.
      problem: '\u0001'.repeat(2000),
    }));
    const error = new AppError('MILLRACE_REQUEST_INVALID', 'x'.repeat(1_000_000), { faults });
    const { problem } = describeProblem(error, `/${'p'.repeat(100_000)}`);
    expect(JSON.stringify(problem).length).toBeLessThan(300_000);
    const shown = (problem.faults?.length ?? 0) - 1;
    expect(shown).toBeGreaterThan(10);
    expect(problem.faults?.at(-1)).toEqual({
      field: 'faults',
      problem: `There are ${1000 - shown} more, which are not shown.`,
    });
  });

  it('shows all faults where there is room', () => {
    const faults = Array.from({ length: 1000 }, (_, at) => ({ field: `line ${at}`, problem: 'is not JSON' }));
    const error = new AppError('MILLRACE_REQUEST_INVALID', 'no', { faults });
    expect(describeProblem(error, '/').problem.faults).toEqual(faults);
  });
});
