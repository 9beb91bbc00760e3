import type { ErrorCode } from '../../../kernel/error-codes.ts';

/*
 * What it means for a batch that the message of an item is refused. What passes (src/engine/passing-failures.ts) is waited for; what the stores
 * do to it stops everything.
 */

/** A store cannot take what is admitted. */
const ofStores = new Set<string>([
  'MILLRACE_LEDGER_BUSY',
  'MILLRACE_DATABASE_UNAVAILABLE',
  'MILLRACE_DATABASE_CONFLICT',
  'MILLRACE_DATABASE_FAILED',
  'MILLRACE_PAYLOAD_UNAVAILABLE',
] satisfies readonly ErrorCode[]);

/** What the refusal of an item's message means. */
export type RefusalKind =
  /** The item fails. */
  | 'item'
  /** Nothing may be admitted for now, as long as it takes: the chunk waits. */
  | 'wait'
  /** A store fails: the chunk waits, and if that does not help, the batch halts. */
  | 'store';

export function refusalKind({
  code,
  retryable,
}: {
  readonly code: string;
  readonly retryable: boolean;
}): RefusalKind {
  if (ofStores.has(code)) return 'store';
  return retryable ? 'wait' : 'item';
}
