import { expect, it } from 'vitest';
import { repositoryFiles } from './repository-files.ts';

/* Entries of the audit are written by one function, so that none lacks a column, and each says whose it is. */

it('the audit is written by recordAction alone', () => {
  const writers = repositoryFiles()
    .filter(({ path }) => path.startsWith('src/') && !path.endsWith('.test.ts'))
    .filter(({ text }) => /insert\s+into\s+millrace\.operator_actions/i.test(text))
    .map(({ path }) => path);
  expect(writers).toEqual(['src/engine/ledger/operator-action.ts']);
});

it('the audit names who acts by one function, since a person is no key', () => {
  const writers = repositoryFiles()
    .filter(({ path }) => path.startsWith('src/') && !path.endsWith('.test.ts'))
    .filter(({ text }) => /`(?:key|person|\$\{kind[^}]*\}):\$\{/.test(text))
    .map(({ path }) => path);
  expect(writers).toEqual(['src/http/operator.ts']);
});
