import { HttpException } from '@nestjs/common';
import { z } from 'zod';
import { AppError } from '../kernel/app-error.ts';
import { cut, type Fault } from '../kernel/fault.ts';
import type { DeclaredError } from '../kernel/declared-errors.ts';
import { type ErrorCode, errorCodes } from '../kernel/error-codes.ts';
import { removeSecrets } from '../telemetry/known-secrets.ts';

/*
 * Errors as RFC 9457 problem documents. Users get the code, what happened and what to do; what went wrong inside
 * (a 5xx's own text, an unknown error) stays in the log.
 */

export const problemMediaType = 'application/problem+json';

export const problemSchema = z.object({
  type: z.string().describe('urn:millrace:error:CODE'),
  title: z.string().describe('What happened; the same for every error of this code.'),
  status: z.int(),
  detail: z.string().optional().describe('What happened this time.'),
  instance: z.string().describe('The path of the request.'),
  code: z.string(),
  todo: z.string().describe('What the reader can do about it.'),
  retryable: z.boolean().describe('Whether the same request may succeed later.'),
  faults: z.array(z.object({ field: z.string(), problem: z.string() })).optional(),
});

export type Problem = z.output<typeof problemSchema>;

/** A problem with the pause after which the request may be tried again, when there is one to tell. */
export interface DescribedProblem {
  readonly problem: Problem;
  readonly retryAfterSeconds: number | undefined;
}

const unavailableRetrySeconds = 5;
/** Of a document's texts that repeat what was sent. */
const maxTextCharacters = 5000;
/** Of all faults in a document. */
const maxFaultBytes = 262_144;

/** The problem document of any error. `path` is the request's, without its query. */
export function describeProblem(error: unknown, path: string): DescribedProblem {
  if (error instanceof AppError) return ofAppError(error, path);
  if (error instanceof HttpException) return ofHttpException(error, path);
  return { problem: build(entryOf('MILLRACE_INTERNAL'), path, {}), retryAfterSeconds: undefined };
}

function ofAppError(error: AppError, path: string): DescribedProblem {
  const isInside = error.status >= 500;
  return {
    problem: build(error.declared, path, {
      ...(isInside ? {} : { detail: error.message }),
      ...(isInside || error.faults.length === 0 ? {} : { faults: error.faults }),
      retryable: error.retryable,
    }),
    retryAfterSeconds: retryAfterSeconds(error),
  };
}

function retryAfterSeconds(error: AppError): number | undefined {
  if (error.retryAfterMs !== undefined) return Math.max(1, Math.ceil(error.retryAfterMs / 1000));
  return error.status === 503 && error.retryable ? unavailableRetrySeconds : undefined;
}

const codesByStatus: Readonly<Partial<Record<number, ErrorCode>>> = {
  401: 'MILLRACE_UNAUTHENTICATED',
  403: 'MILLRACE_FORBIDDEN',
  404: 'MILLRACE_NOT_FOUND',
  406: 'MILLRACE_NOT_ACCEPTABLE',
  408: 'MILLRACE_REQUEST_TIMEOUT',
  413: 'MILLRACE_REQUEST_TOO_LARGE',
  415: 'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
};

/** What the framework refuses: unknown routes, bodies that cannot be read, URLs that cannot be decoded. */
function ofHttpException(error: HttpException, path: string): DescribedProblem {
  const status = error.getStatus();
  if (status >= 500)
    return { problem: build(entryOf('MILLRACE_INTERNAL'), path, {}), retryAfterSeconds: undefined };
  const code = codesByStatus[status] ?? 'MILLRACE_REQUEST_INVALID';
  const detail = status === 404 ? `Nothing is served at ${path} for this method.` : error.message;
  return { problem: build(entryOf(code), path, { detail, status }), retryAfterSeconds: undefined };
}

interface Particulars {
  readonly status?: number;
  readonly detail?: string;
  readonly retryable?: boolean;
  readonly faults?: readonly Fault[];
}

function entryOf(code: ErrorCode): DeclaredError {
  return { code, ...errorCodes[code] };
}

function build(entry: DeclaredError, path: string, particulars: Particulars): Problem {
  const { code } = entry;
  const { status = entry.status, detail, retryable = entry.retryable, faults } = particulars;
  return {
    type: `urn:millrace:error:${code}`,
    title: entry.what,
    status,
    ...(detail === undefined ? {} : { detail: cut(removeSecrets(detail), maxTextCharacters) }),
    instance: cut(removeSecrets(path), maxTextCharacters),
    code,
    todo: entry.todo,
    retryable,
    ...(faults === undefined ? {} : { faults: shownFaults(faults) }),
  };
}

/** As many faults as a document has room for; the last one says how many there are besides. */
function shownFaults(faults: readonly Fault[]): Fault[] {
  const shown: Fault[] = [];
  let bytes = 0;
  for (const fault of faults) {
    const one = withoutSecrets(fault);
    bytes += Buffer.byteLength(JSON.stringify(one));
    if (bytes > maxFaultBytes) {
      const left = faults.length - shown.length;
      shown.push({ field: 'faults', problem: `There are ${left} more, which are not shown.` });
      break;
    }
    shown.push(one);
  }
  return shown;
}

function withoutSecrets({ field, problem }: Fault): Fault {
  return { field: removeSecrets(field), problem: removeSecrets(problem) };
}
