import { z } from 'zod';
import { AppError, type Fault } from '../../kernel/app-error.ts';
import { type ErrorCode, errorCodes } from '../../kernel/error-codes.ts';

/*
 * What a command asks a running host over its operator socket: the ports of its stores, statement by statement. Each
 * request has a number and is answered once under it. A transaction is begun, used by its number, and ended; one whose
 * connection closes is rolled back.
 */

const id = z.int().nonnegative();
const statement = z.object({ name: z.string(), text: z.string() });
const values = z.custom<readonly unknown[]>((value) => Array.isArray(value));
const named = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null,
);

export const operatorRequestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('hello'), id }),
  z.object({ kind: z.literal('sql.query'), id, statement, parameters: values, transaction: id.optional() }),
  z.object({ kind: z.literal('sql.execute'), id, script: z.string(), transaction: id.optional() }),
  z.object({ kind: z.literal('sql.begin'), id }),
  z.object({ kind: z.literal('sql.end'), id, transaction: id, commits: z.boolean() }),
  z.object({ kind: z.literal('sql.ping'), id }),
  z.object({ kind: z.literal('columns.query'), id, sql: z.string(), parameters: named }),
  z.object({ kind: z.literal('columns.command'), id, sql: z.string() }),
  z.object({
    kind: z.literal('columns.insert'),
    id,
    insert: z.object({ table: z.string(), lines: z.string(), deduplicationToken: z.string() }),
  }),
  z.object({ kind: z.literal('columns.ping'), id }),
  z.object({ kind: z.literal('queue.add'), id, queue: z.string(), notifications: values }),
]);

export type OperatorRequest = z.output<typeof operatorRequestSchema>;
/** A request before it has its number. */
export type OperatorCall = OperatorRequest extends infer Request
  ? Request extends OperatorRequest
    ? Omit<Request, 'id'>
    : never
  : never;

export const operatorGreetingSchema = z.object({
  version: z.string(),
  processId: z.int(),
  databaseKind: z.enum(['pglite', 'postgres']),
  columnsKind: z.enum(['chdb', 'clickhouse']),
  columnsDatabase: z.string(),
});

/** What a host says of itself when a command comes. */
export type OperatorGreeting = z.output<typeof operatorGreetingSchema>;

/** An answer: a value, or the failure in a form that survives the way. */
export const operatorAnswerSchema = z.union([
  z.object({ id, value: z.unknown() }),
  z.object({
    id,
    failure: z.object({
      code: z.string().optional(),
      message: z.string(),
      retryable: z.boolean().optional(),
      faults: z.array(z.object({ field: z.string(), problem: z.string() })).optional(),
      retryAfterMs: z.number().optional(),
      cause: z.object({ message: z.string(), code: z.string().optional() }).optional(),
    }),
  }),
]);

export type OperatorAnswer = z.output<typeof operatorAnswerSchema>;
export type OperatorFailure = Extract<OperatorAnswer, { failure: unknown }>['failure'];

/** A failure as it is sent, its texts cleaned. */
export function failureOf(error: unknown, clean: (text: string) => string = (text) => text): OperatorFailure {
  if (!(error instanceof AppError))
    return { message: clean(error instanceof Error ? error.message : String(error)) };
  const { code, message, retryable, faults, retryAfterMs, cause } = error;
  return {
    code,
    message: clean(message),
    retryable,
    faults: faults.map(({ field, problem }: Fault) => ({ field, problem: clean(problem) })),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(cause instanceof Error ? { cause: causeOf(cause, clean) } : {}),
  };
}

/** The error that a failure was. */
export function errorOf(failure: OperatorFailure): Error {
  const { code, message, retryable, faults = [], retryAfterMs, cause } = failure;
  if (code === undefined || !isErrorCode(code)) return new Error(message);
  return new AppError(code, message, {
    faults,
    ...(retryable === undefined ? {} : { retryable }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(cause === undefined
      ? {}
      : {
          cause: Object.assign(
            new Error(cause.message),
            cause.code === undefined ? {} : { code: cause.code },
          ),
        }),
  });
}

function causeOf(cause: Error, clean: (text: string) => string): NonNullable<OperatorFailure['cause']> {
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return { message: clean(cause.message), ...(code === undefined ? {} : { code }) };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
