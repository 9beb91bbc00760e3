import type { Uuid } from '../../kernel/ids.ts';

/** Who does it, why, and how it was asked for. */
export interface OperationRecord {
  /** The operation's id: of its audit row, and the same for all of its slices. */
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
  readonly target: string;
  readonly detail: Readonly<Record<string, unknown>>;
}
