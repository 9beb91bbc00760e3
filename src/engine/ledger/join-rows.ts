import { type JsonRow, jsonRow } from '../../drivers/sql-database/json-rows.ts';
import type { Join, RunRef } from './message-changes.ts';

/** A join as the statement takes it that finishes the message whose emissions it joins. Throws MILLRACE_DATA_REFUSED. */
export function joinRow(parent: RunRef, { id, quorum, branches }: Join): JsonRow {
  const ended = branches.filter((branch) => branch.isOutput).length;
  return jsonRow('join', () => ({
    id,
    parent_id: parent.id,
    parent_fencing_token: parent.fencingToken,
    total: branches.length,
    quorum,
    ended,
    branch_ids: branches.map((branch) => branch.id),
    branch_types: branches.map((branch) => branch.type),
    branch_states: branches.map(({ isOutput }) => (isOutput ? 'succeeded' : 'open')),
    released_by: releasedAtOnce(branches.length, ended, quorum),
  }));
}

/** What lets a join go as it is written: all of its branches are outputs, or enough of them. */
export function releasedAtOnce(
  total: number,
  ended: number,
  quorum: number | undefined,
): 'quorum' | 'all' | undefined {
  if (quorum !== undefined && ended >= quorum) return 'quorum';
  return ended >= total ? 'all' : undefined;
}
