import type { Uuid } from '../../kernel/ids.ts';

/** One export batch as the ledger bound it. The same id always has the same rows. */
export interface InsertBatch {
  readonly id: Uuid;
  readonly table: 'usage' | 'message_outcomes';
  /** Rows as JSON lines that carry the id (bindLines). */
  readonly lines: string;
  readonly rows: number;
}
