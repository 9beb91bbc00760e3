import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { errorCodes } from '../host/error-codes.ts';
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

  it('names options and arguments of the command, not fields of the API', () => {
    const program = new Command('millrace').option('--data <directory>');
    const list = program
      .command('costs')
      .command('list')
      .argument('<scope>')
      .option('--group-by <fields>')
      .option('--dry-run');
    const faults = ['query.group_by', 'body.dryRun', 'scopes.0', 'data', 'body.other'].map((field) => ({
      field,
      problem: 'is odd',
    }));
    const error = new AppError('MILLRACE_REQUEST_INVALID', 'The request is not valid', { faults });
    expect(describeError(error, { verbose: false, command: list })).toBe(
      'MILLRACE_REQUEST_INVALID: --group-by: is odd; --dry-run: is odd; <scope>: is odd; --data: is odd; body.other: is odd\n' +
        'What to do: Correct what is named; "millrace costs list --help" shows what is accepted.\n',
    );
    const other = new AppError('MILLRACE_NOT_FOUND', 'No message.', { faults });
    expect(describeError(other, { verbose: false, command: list })).toContain('No message.');
  });

  it('has options of the command where the message has parameters of the API', () => {
    const command = new Command('millrace')
      .option('--form <form>')
      .option('--partial')
      .option('--id-column <n>');
    const message =
      'Say form=bare, partial=true; not partial=false, other=x, "a?form=bare" or (idColumn=id).';
    const error = new AppError('MILLRACE_NOT_FOUND', message);
    expect(describeError(error, { verbose: false, command })).toContain(
      'Say --form bare, --partial; not partial=false, other=x, "a?form=bare" or (--id-column id).\n',
    );
  });

  it('says in the words of the command line what a wrong one lacks', () => {
    const command = new Command('millrace').command('erase');
    const error = new AppError('MILLRACE_REQUEST_INVALID', 'Say why with --reason.');
    expect(describeError(error, { verbose: false, command })).toBe(
      'MILLRACE_REQUEST_INVALID: Say why with --reason.\nWhat to do: Correct what is named; "millrace erase --help" shows what is accepted.\n',
    );
  });

  it('names no path, method or status of the API, but where only requests over HTTP fail so', () => {
    const ofRequests = [
      'MILLRACE_REQUEST_INVALID',
      'MILLRACE_UNAUTHENTICATED',
      'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
    ];
    const apiWords = /\/v1\/|openapi\.json|\b(?:GET|POST|PUT|DELETE)\b|\b[45]\d\d\b(?! MB)|\w=\w/;
    const found = Object.entries(errorCodes)
      .filter(([code, { what, todo }]) => !ofRequests.includes(code) && apiWords.test(`${what} ${todo}`))
      .map(([code]) => code);
    expect(found).toEqual([]);
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
