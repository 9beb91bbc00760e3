import { describe, expect, it } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { jsonRow, jsonRows, placedJsonRows } from './json-rows.ts';

function refusalOf(build: () => Readonly<Record<string, unknown>>): AppError {
  try {
    jsonRow('test', build);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it should have been refused');
}

const cycle: { self?: unknown } = {};
cycle.self = cycle;

describe('a row of a JSON parameter', () => {
  it('joins others, with its place where the statement asks for it', () => {
    const rows = [jsonRow('test', () => ({ id: 'a', text: '"\ud83d' })), jsonRow('test', () => ({}))];
    expect(JSON.parse(jsonRows(rows))).toEqual([{ id: 'a', text: '"\ud83d' }, {}]);
    expect(JSON.parse(placedJsonRows(rows))).toEqual([
      { place: -2, id: 'a', text: '"\ud83d' },
      { place: -1 },
    ]);
    expect(jsonRows([])).toBe('[]');
    expect(placedJsonRows([], 'turn')).toBe('[]');
  });

  it.each([
    ['a BigInt', 'size', { id: 'a', size: 1n }],
    ['a cycle', 'size', { id: 'a', size: cycle }],
    ['NaN, which would become null', 'size', { id: 'a', size: Number.NaN }],
    ['infinity', 'size', { id: 'a', size: -Infinity }],
    ['an object', 'size', { id: 'a', names: ['b'], size: { n: 1 } }],
    ['lists of lists', 'size', { id: 'a', size: [[['b']]] }],
  ])('is refused with its field for %s', (_what, field, row) => {
    expect(refusalOf(() => row)).toMatchObject({
      code: 'MILLRACE_DATA_REFUSED',
      retryable: false,
      faults: [{ field }],
    });
  });

  it('is refused when it cannot be made', () => {
    const error = refusalOf(() => {
      throw new TypeError('unreadable');
    });
    expect(error).toMatchObject({ code: 'MILLRACE_DATA_REFUSED', faults: [] });
    expect(error.message).toContain('unreadable');
    expect(
      refusalOf(() => {
        throw new AppError('MILLRACE_DATA_REFUSED', 'no amount');
      }).message,
    ).toBe('no amount');
  });
});
