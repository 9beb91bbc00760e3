import type { Capability } from '../capabilities/capability.ts';
import type { ErrorCodeEntry } from '../kernel/error-code-entry.ts';
import { type ErrorCode as KernelErrorCode, errorCodes as kernelErrorCodes } from '../kernel/error-codes.ts';
import { capabilities } from './capabilities.ts';
import type { Contributed } from './contributed.ts';

/** The code of a failure. */
export type ErrorCode = KernelErrorCode | keyof Contributed<'errors'>;

/** The codes of a host with these capabilities, each with its HTTP status, whether it may be retried, and what to do. */
export function errorCodesOf(
  list: readonly Pick<Capability, 'name' | 'errors'>[],
): Readonly<Record<ErrorCode, ErrorCodeEntry>> {
  const own: Record<string, ErrorCodeEntry> = {};
  for (const { errors = {} } of list) {
    for (const { code, status, retryable, what, todo } of Object.values(errors))
      own[code] = { status, retryable, what, todo };
  }
  // Of a capability that is not there, nobody is there who would throw its errors.
  return { ...kernelErrorCodes, ...own } as Readonly<Record<ErrorCode, ErrorCodeEntry>>;
}

/** Every error code with its HTTP status, whether it may be retried, and what to do. */
export const errorCodes = errorCodesOf(capabilities);
