import { createHash } from 'node:crypto';

/* What handlers throw, besides sound errors: all that JavaScript lets them. Each is an attempt that failed, no more. */

function withCause(message: string, cause: (error: Error) => unknown): Error {
  const error = new Error(message);
  error.cause = cause(error);
  return error;
}

function failing(what: string): never {
  throw new Error(`reading ${what} fails`);
}

function withGetter(name: string): Error {
  return Object.defineProperty(new Error('it has a getter'), name, { get: () => failing(name) });
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const makers: readonly (() => unknown)[] = [
  () => new Error('the weather was bad'),
  () => withCause('its cause is itself', (error) => error),
  () => withCause('a cycle of two', (error) => withCause('the other', () => error)),
  () =>
    Object.assign(
      withCause('a BigInt', () => 12n),
      { amount: 2n ** 80n },
    ),
  () => withGetter('message'),
  () => withGetter('cause'),
  () => withGetter('stack'),
  () => withGetter('code'),
  () => withGetter('name'),
  () => 'a string with half an emoji \ud83d and \u0000',
  () => '',
  () => 17,
  () => 2n ** 70n,
  () => Symbol('a symbol'),
  () => undefined,
  () => null,
  () => Object.freeze({ code: 'FROZEN', nested: Object.freeze([1n]) }),
  () => Object.freeze(new Error('a frozen error')),
  () => Object.create(null) as unknown,
  () => revoked(),
  () => new Proxy(new Error('a proxy'), { get: (_target, name) => failing(String(name)) }),
  () => new AggregateError([1n, withGetter('message'), undefined, revoked()], 'many of them'),
  () => Object.assign(new Error('its JSON fails'), { toJSON: () => failing('toJSON') }),
  () => new Error(`half an emoji \ud83d, \u0000, \u202e and ${'very '.repeat(20_000)}long`),
  () => Object.assign(new Error('odd fields'), { name: 7, message: { text: 'no text' }, stack: null }),
  () =>
    Object.assign(new Error('it says that it is another'), { name: 'AppError', code: 'MILLRACE_NOT_FOUND' }),
  () => () => 'a function',
  () => Promise.resolve('a promise'),
  () => new Date(Number.NaN),
];

/** A handler's error for this key, another for every key; always the same for one. */
export function oddErrorOf(key: string): unknown {
  const place = createHash('sha256').update(`error ${key}`).digest().readUInt32BE(0) % makers.length;
  return makers[place]?.();
}

/** One of each, for those who want all. */
export function allOddErrors(): readonly unknown[] {
  return makers.map((make) => make());
}
