import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { MessageState } from './message-state.ts';
import { bodyOf, type StoredBody } from './stored-message.ts';
import { readTrees } from './tree-sql.ts';

/** A message of an ended tree. */
export interface TreeMessage {
  readonly rootId: Uuid;
  readonly hops: number;
  readonly state: MessageState;
  readonly pipeline: string;
  readonly stage: string;
  readonly type: string;
  readonly code: string | undefined;
  readonly attempts: number;
  /** Of an output. */
  readonly body: StoredBody | undefined;
  /** Of a handler after which nothing came; JSON. */
  readonly result: string | undefined;
  /** Of a dead letter: the account of its last failure, as JSON. */
  readonly detail: string | undefined;
}

/** The messages of trees, by their roots; of outputs with where their data lies. */
export async function readTreeMessages(
  database: SqlDatabase,
  rootIds: readonly Uuid[],
): Promise<readonly TreeMessage[]> {
  const { rows } = await database.query<TreeRow>(readTrees, [rootIds]);
  return rows.map((row) => ({
    rootId: row.root_id,
    hops: row.hops,
    state: row.state,
    pipeline: row.pipeline,
    stage: row.stage,
    type: row.type,
    code: row.error_code ?? undefined,
    attempts: row.attempts,
    body: row.stage === '' ? bodyOf(row) : undefined,
    result: row.result ?? undefined,
    detail: row.detail ?? undefined,
  }));
}

interface TreeRow {
  readonly root_id: Uuid;
  readonly hops: number;
  readonly state: MessageState;
  readonly pipeline: string;
  readonly stage: string;
  readonly type: string;
  readonly error_code: string | null;
  readonly attempts: number;
  readonly body: string | null;
  readonly body_ref: string | null;
  readonly result: string | null;
  readonly detail: string | null;
}
