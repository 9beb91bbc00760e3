import { AppError } from './app-error.ts';

/*
 * Handlers throw anything: errors whose getters throw, Proxies, revoked ones, chains of causes that refer to
 * themselves. Whoever decides over a failure reads it several times (its kind, its code, its log line); this makes
 * sure, once, that reading it is safe.
 */

const maxCauses = 8;
/** What the readers of errors look at. */
const readFields = ['name', 'message', 'stack', 'code', 'text', 'cause', 'toJSON'] as const;

/**
 * The error itself when everything about it can be read; otherwise an Error with as much of it as can be, its causes
 * included. Never throws.
 */
export function readableError(error: unknown): unknown {
  return copyIfUnreadable(error, maxCauses);
}

function copyIfUnreadable(error: unknown, causesLeft: number): unknown {
  if (typeof error !== 'object' && typeof error !== 'function') return error;
  if (error === null) return error;
  const cause = reading(() => Reflect.get(error, 'cause') as unknown);
  const readableCause =
    cause.value === undefined || causesLeft === 0 ? undefined : copyIfUnreadable(cause.value, causesLeft - 1);
  const isWhole = cause.isRead && (causesLeft === 0 || readableCause === cause.value) && isReadable(error);
  if (isWhole) return error;
  return copyOf(error, readableCause);
}

function isReadable(error: object): boolean {
  return (
    reading(() => {
      if (!(error instanceof Error)) {
        // A plain value is written as JSON or as text, whichever can be.
        return true;
      }
      for (const field of readFields) void Reflect.get(error, field);
      const texts: unknown[] = [error.name, error.message, error.stack ?? ''];
      return texts.every((text) => typeof text === 'string');
    }).value === true
  );
}

function copyOf(error: object, cause: unknown): Error {
  const message = textOf(error, 'message') ?? 'An error was thrown that cannot be read.';
  const options = cause === undefined ? {} : { cause };
  const known = reading(() => (error instanceof AppError ? error.declared : undefined)).value;
  if (known !== undefined) {
    const { retryable } = error as AppError;
    return new AppError(known, message, { ...options, retryable });
  }
  const copy = new Error(message, options);
  copy.name = textOf(error, 'name') ?? 'Error';
  const stack = textOf(error, 'stack');
  if (stack !== undefined) copy.stack = stack;
  return copy;
}

function textOf(error: object, field: string): string | undefined {
  const { value } = reading(() => Reflect.get(error, field) as unknown);
  return typeof value === 'string' ? value : undefined;
}

function reading<Value>(read: () => Value): { readonly isRead: boolean; readonly value: Value | undefined } {
  try {
    return { isRead: true, value: read() };
  } catch {
    return { isRead: false, value: undefined };
  }
}
