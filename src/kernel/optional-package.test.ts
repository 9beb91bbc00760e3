import { describe, expect, it } from 'vitest';
import { loadOptional } from './optional-package.ts';

const notFound = (name: string): Error =>
  Object.assign(new Error(`Cannot find package '${name}' imported from /a/b.js`), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
const load = (failure: Error) =>
  loadOptional('The embedded ledger', ['@electric-sql/pglite', 'chdb'], async (): Promise<never> => {
    throw await Promise.resolve(failure);
  });

describe('an optional package', () => {
  it('is what its loader answers', async () => {
    expect(await loadOptional('A thing', ['thing'], () => Promise.resolve(7))).toBe(7);
  });

  it.each(['@electric-sql/pglite', 'chdb', 'chdb/connection'])(
    'that is missing (%s) is answered with the command that installs all of them',
    async (name) => {
      await expect(load(notFound(name))).rejects.toMatchObject({
        code: 'MILLRACE_PACKAGE_MISSING',
        retryable: false,
        message: expect.stringMatching(
          /^The embedded ledger needs .* npm install "@electric-sql\/pglite@\^[\d.]+" "chdb@\^[\d.]+"$/,
        ) as unknown,
        cause: expect.any(Error) as unknown,
      });
    },
  );

  it('whose own failure it is stays what it is, also when another package is missing in it', async () => {
    const broken = new Error('its library cannot be loaded');
    await expect(load(broken)).rejects.toBe(broken);
    const inner = notFound('something-it-needs');
    await expect(load(inner)).rejects.toBe(inner);
  });
});
