import type { ErrorCodeEntry } from './error-code-entry.ts';

/** A code, as callers see it. */
export type ErrorCodeName = `MILLRACE_${string}`;

/** An error that its owner declares: what is known of it, with its code. */
export interface DeclaredError extends ErrorCodeEntry {
  readonly code: ErrorCodeName;
}

/** Errors by their codes, as a capability declares them. */
export type ErrorTable = Readonly<Record<ErrorCodeName, DeclaredError>>;

/** Declares errors beside those of the kernel's table: for `new AppError(errors.MILLRACE_…, …)`. */
export function declareErrors<const Code extends ErrorCodeName>(
  entries: Readonly<Record<Code, ErrorCodeEntry>>,
): { readonly [Name in Code]: DeclaredError & { readonly code: Name } } {
  return Object.fromEntries(
    Object.entries<ErrorCodeEntry>(entries).map(([code, entry]) => [code, { code, ...entry }]),
    // One entry a code, under that code; the type does not survive fromEntries.
  ) as { readonly [Name in Code]: DeclaredError & { readonly code: Name } };
}
