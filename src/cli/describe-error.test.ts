import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { keepSecret } from '../telemetry/known-secrets.ts';
import { describeError } from './describe-error.ts';

describe('an error at the terminal', () => {
  it('has its code, what happened, why, and what to do, but no stack', () => {
    const error = new AppError('MILLRACE_DATA_NOT_FOUND', 'There is no ledger in x.', {
      cause: new Error('gone'),
    });
    const text = describeError(error, { verbose: false });
    expect(text.split('\n').slice(0, 2)).toEqual([
      'MILLRACE_DATA_NOT_FOUND: There is no ledger in x.',
      '  because: gone',
    ]);
    expect(text).toContain(`What to do: ${error.todo}`);
    expect(text).not.toContain(' at ');
  });

  it('has its stack when it is asked for', () => {
    expect(describeError(new Error('odd'), { verbose: true })).toMatch(/^Unexpected error: odd\n[\s\S]* at /);
    expect(describeError(new Error('odd'), { verbose: false })).toContain('--verbose');
  });

  const secret = 'a-key/that+is=echoed';
  it.each([
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
    Buffer.from(`user:${secret}`).toString('base64'),
  ])('is without a configured secret (%s), in causes and stack too', (echoed) => {
    keepSecret(secret);
    const error = new AppError('MILLRACE_CONFIG_INVALID', `wrong: ${echoed}`, {
      cause: new Error(`because of ${echoed}`),
    });
    for (const shown of [error, new Error(`odd ${echoed}`), `thrown ${echoed}`]) {
      const text = describeError(shown, { verbose: true });
      expect(text).toContain('[redacted]');
      expect(text).not.toContain(echoed);
    }
  });
});
