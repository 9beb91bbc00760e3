import type { z } from 'zod';
import { AppError, type Fault } from '../kernel/app-error.ts';

/** A request's value as the schema reads it. Throws MILLRACE_REQUEST_INVALID with every fault. */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.flatMap((issue) => faultsOf(issue)));
}

/** The refusal of a request with its faults, each named in the text too. */
export function invalidRequest(faults: readonly Fault[]): AppError {
  const text = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  return new AppError('MILLRACE_REQUEST_INVALID', `The request is not valid: ${text}`, { faults });
}

function faultsOf(issue: z.core.$ZodIssue): readonly Fault[] {
  const field = issue.path.map(String).join('.') || 'request';
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: [...issue.path.map(String), key].join('.'),
      problem: 'is not known',
    }));
  }
  return [{ field, problem: issue.message }];
}
