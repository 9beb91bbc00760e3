import { describe, expect, it } from 'vitest';
import { InputFaults } from './input-faults.ts';

describe('the faults of an input', () => {
  it('are bounded in every part, however long what they name is', () => {
    const faults = new InputFaults('line');
    // A table's column is named in the faults of all its rows.
    const field = `data.${'k'.repeat(1_000_000)}`;
    for (let line = 1; line <= 1000; line += 1)
      faults.add(line, [{ field, problem: `is no ${'v'.repeat(10_000)}` }], 'item');
    expect(faults.count).toBe(1000);
    expect(JSON.stringify(faults.listed).length).toBeLessThan(700_000);
    expect(faults.listed[999]?.field).toMatch(/^line 1000, data\.k+…$/);
  });
});
