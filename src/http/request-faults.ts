import type { z } from 'zod';
import { AppError } from '../kernel/app-error.ts';
import { type Fault, fieldOf, toldFaults } from '../kernel/fault.ts';

/** A request's value as the schema reads it; without a body it is one without members. Throws MILLRACE_REQUEST_INVALID with every fault. */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value === undefined ? {} : value);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.flatMap((issue) => faultsOf(issue)));
}

/** The refusal of a request with its faults, each named in the text too. */
export function invalidRequest(faults: readonly Fault[]): AppError {
  return new AppError('MILLRACE_REQUEST_INVALID', `The request is not valid: ${toldFaults(faults)}`, {
    faults,
  });
}

function faultsOf(issue: z.core.$ZodIssue): readonly Fault[] {
  const field = fieldOf(issue.path) || 'request';
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: fieldOf([...issue.path, key]),
      problem: 'is not known',
    }));
  }
  return [{ field, problem: isAbsent(issue) ? 'is required' : issue.message }];
}

/** Whether nothing was given where something has to be, and the schema has no words of its own for that. */
function isAbsent({ code, message }: z.core.$ZodIssue): boolean {
  return code === 'invalid_type' && message.endsWith(', received undefined');
}
