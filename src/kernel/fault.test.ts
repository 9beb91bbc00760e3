import { describe, expect, it } from 'vitest';
import { AppError } from './app-error.ts';
import { fieldOf, toldFaults } from './fault.ts';

const long = 'x'.repeat(1_000_000);

describe('faults', () => {
  it('name a place by what leads to it, cut where names are long', () => {
    expect(fieldOf(['data', 'items', 3, 'text'])).toBe('data.items.3.text');
    expect(fieldOf([])).toBe('');
    expect(fieldOf([Symbol('odd')])).toBe('Symbol(odd)');
    expect(fieldOf(['data', long, 1])).toHaveLength(301);
    expect(fieldOf(['data', ...Array.from({ length: 1000 }, () => 'deep')]).length).toBe(301);
  });

  it('of one error are bounded in number and size', () => {
    const faults = Array.from({ length: 1500 }, () => ({ field: long, problem: long }));
    const error = new AppError('MILLRACE_REQUEST_INVALID', toldFaults(faults), { faults });
    expect(error.faults).toHaveLength(1000);
    expect(error.faults.every(({ field, problem }) => field.length === 301 && problem.length === 2001)).toBe(
      true,
    );
    expect(error.message.length).toBeLessThan(4100);
    expect(error.message).toMatch(/; and 1499 more$/);
  });

  it('are told as they are where there is room', () => {
    const faults = [
      { field: 'a', problem: 'is missing' },
      { field: 'b', problem: 'is odd' },
    ];
    expect(toldFaults(faults)).toBe('a: is missing; b: is odd');
  });
});
