import { describe, expect, it } from 'vitest';
import type { Capability } from '../capabilities/capability.ts';
import { failureKind } from '../engine/pipeline/failure-kind.ts';
import { AppError } from '../kernel/app-error.ts';
import { errorCodes as kernelErrorCodes } from '../kernel/error-codes.ts';
import { capabilities } from './capabilities.ts';
import { errorCodes, errorCodesOf } from './error-codes.ts';

const declared = (capabilities as readonly Capability[]).flatMap(({ errors = {} }) => Object.values(errors));

describe('the error codes of a host', () => {
  it('are those of the kernel and those that its capabilities declare, each declared once', () => {
    const codes = [...Object.keys(kernelErrorCodes), ...declared.map(({ code }) => code)];
    expect(new Set(codes).size).toBe(codes.length);
    expect(Object.keys(errorCodes)).toEqual(codes);
  });

  it('lack those of a capability that is not there', () => {
    const { MILLRACE_ERASURE_BLOCKED: _, MILLRACE_ERASURE_FAILED: __, ...rest } = errorCodes;
    expect(errorCodesOf(capabilities.filter(({ name }) => name !== 'erasure'))).toEqual(rest);
    expect(errorCodesOf([])).toEqual(kernelErrorCodes);
  });

  it.each(declared)('$code reaches callers and handlers as it is declared', (entry) => {
    const error = new AppError(entry, 'made');
    const { code, status, retryable, todo } = entry;
    expect(error).toMatchObject({ code, status, retryable, todo, message: 'made' });
    expect(error.declared).toBe(entry);
    // In a stage it is tried again or given up, unless the thrower knows better.
    expect(failureKind(error)).toBe(entry.retryable ? 'transient' : 'permanent');
    const contrary = new AppError(entry, 'made', { retryable: !entry.retryable });
    expect(failureKind(contrary)).toBe(entry.retryable ? 'permanent' : 'transient');
  });
});
