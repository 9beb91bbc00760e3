import type { Clock } from '../../kernel/clock.ts';
import { GroupCommit } from '../../kernel/group-commit.ts';
import type { EngineBounds } from '../metrics/engine-bounds.ts';
import type { FlushObserver, LedgerOperation } from './flush-observer.ts';

/** What a group of the ledger needs of its surroundings. */
export interface LedgerGroupOptions {
  readonly clock: Clock;
  readonly onFlush?: FlushObserver | undefined;
  readonly bounds?: EngineBounds | undefined;
}

/** A group commit of the ledger: watched by its operation's name, and bounded. Several may share a name. */
export function ledgerGroup<Item, Result>(
  operation: LedgerOperation,
  { clock, onFlush, bounds }: LedgerGroupOptions,
  flush: (items: readonly Item[]) => Promise<readonly Result[]>,
): GroupCommit<Item, Result> {
  const group = new GroupCommit({
    name: operation,
    clock,
    flush,
    maxGroup: 400,
    onFlush: (size, durationMs) => onFlush?.(operation, size, durationMs),
  });
  bounds?.register(`ledger_${operation}`, group);
  return group;
}
