import { describe, expect, it } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { readableError } from '../../kernel/readable-error.ts';
import { redactFields } from '../../telemetry/log-redaction.ts';
import { failureCode } from './failure-policy.ts';
import { failureDetail } from './run-outcome.ts';

function selfCaused(): Error {
  const error = new Error('request failed');
  error.cause = { request: { error } };
  return error;
}

function selfCausedDirectly(): Error {
  const error = new Error('request failed');
  error.cause = error;
  return error;
}

function withThrowingGetter(field: string): Error {
  return Object.defineProperty(new Error('request failed'), field, {
    get: () => {
      throw new TypeError('a getter that throws');
    },
  });
}

const revoked = Proxy.revocable({}, {});
revoked.revoke();

const thrown: readonly (readonly [string, unknown])[] = [
  ['a cause that refers to its error', selfCaused()],
  ['an error that is its own cause', selfCausedDirectly()],
  ['a BigInt in the cause', new Error('request failed', { cause: { bytes: 1n } })],
  ['a message getter that throws', withThrowingGetter('message')],
  ['a cause getter that throws', withThrowingGetter('cause')],
  ['a stack getter that throws', withThrowingGetter('stack')],
  ['a cause whose getters throw', new Error('request failed', { cause: withThrowingGetter('name') })],
  ['a cause that is null', new Error('request failed', { cause: null })],
  ['a revoked Proxy', revoked.proxy],
  ['a revoked Proxy as cause', new Error('request failed', { cause: revoked.proxy })],
  ['a message that is no text', Object.assign(new Error('x'), { message: 5n })],
  ['undefined', undefined],
  ['null', null],
  ['a symbol', Symbol('s')],
  ['a BigInt', 1n],
  ['a function', () => 1],
  [
    'an object that throws as JSON',
    {
      toJSON: () => {
        throw new Error('no');
      },
    },
  ],
  ['several errors in one', new AggregateError([selfCaused(), null, 1n], 'all failed')],
  ['a text with half an emoji', `caf\ud83d\u0000`],
  ['a huge message', new Error('x'.repeat(1_000_000))],
  [
    'an AppError with a hostile cause',
    new AppError('MILLRACE_STAGE_FAILED', 'no', { cause: withThrowingGetter('name') }),
  ],
];

describe('the record of a failure', () => {
  it.each(thrown)('is made for %s', (_name, error) => {
    const detail = failureDetail(error);
    expect(JSON.parse(detail)).toEqual({ chain: expect.any(Array) as unknown });
    expect(detail.isWellFormed()).toBe(true);
    expect(detail.length).toBeLessThan(50_000);
    expect(failureCode(readableError(error))).toBe('MILLRACE_STAGE_FAILED');
    expect(() => JSON.stringify(redactFields({ error: readableError(error) }))).not.toThrow();
    expect(() => JSON.stringify(redactFields({ error }))).not.toThrow();
  });

  it('keeps the true message beside the part that cannot be read', () => {
    expect(failureDetail(withThrowingGetter('cause'))).toContain('request failed');
    expect(failureDetail(selfCaused())).toContain('request failed');
  });

  it('leaves an error that can be read as it is', () => {
    const error = new Error('plain', { cause: new AppError('MILLRACE_STAGE_FAILED', 'why') });
    expect(readableError(error)).toBe(error);
  });
});
