import { expect, it } from 'vitest';
import { sqlError } from './sql-error.ts';

function codeOf(state: string): string {
  return sqlError(Object.assign(new Error('refused'), { code: state }), 'test.statement').code;
}

it.each(['22P02', '22P05', '22003', '22008', '21000', '23502', '23505', '23514', '54000', '54001'])(
  'takes %s for a fault of the data',
  (state) => expect(codeOf(state)).toBe('MILLRACE_DATA_REFUSED'),
);

it.each(['54011', '54023', '42601', '42703', 'XX000'])('takes %s for a fault of the statement', (state) =>
  expect(codeOf(state)).toBe('MILLRACE_DATABASE_FAILED'),
);
