import { expect, it } from 'vitest';
import { AppError } from '../../src/kernel/app-error.ts';
import { faultOfRefusal } from './refused-admissions.ts';

const expected = {
  what: 'a bad team',
  code: 'MILLRACE_ORIGIN_INVALID',
  status: 422,
  field: 'origin.team',
} as const;
const refuse = (code: 'MILLRACE_ORIGIN_INVALID' | 'MILLRACE_INTERNAL', field: string) => () =>
  Promise.reject(new AppError(code, 'no', { faults: [{ field, problem: 'is bad' }] }));

it('takes a refusal for right that tells the code and the field', async () => {
  expect(await faultOfRefusal(expected, refuse('MILLRACE_ORIGIN_INVALID', 'origin.team'))).toBeUndefined();
  expect(await faultOfRefusal(expected, refuse('MILLRACE_ORIGIN_INVALID', 'origin.team.0'))).toBeUndefined();
});

it.each([
  ['an admission', () => Promise.resolve('admitted'), 'a bad team: it was admitted'],
  ['another code', refuse('MILLRACE_INTERNAL', 'origin.team'), 'MILLRACE_INTERNAL at [origin.team]'],
  ['another field', refuse('MILLRACE_ORIGIN_INVALID', 'origin.customer'), 'at [origin.customer]'],
  ['a bare error', () => Promise.reject(new TypeError('what')), 'a bad team: TypeError: what'],
])('does not take %s for a refusal', async (_what, admit, fault) => {
  expect(await faultOfRefusal(expected, admit)).toContain(fault);
});
