/*
 * The audit: what operators change, one row an operation in millrace.operator_actions. This is the one way into the table. The text
 * is part of the statement that makes the change, so that neither is ever there without the other.
 */

/** SQL expressions of an entry: parameters with their types, columns of `from`, literals. */
export interface ActionEntry {
  readonly id: string;
  readonly actor: string;
  /** What was done, as in 'keys.revoke'. */
  readonly action: string;
  /** What it was done to, in words. */
  readonly target: string;
  /** How many of these. Default 1. */
  readonly affected?: string;
  /** JSON: how it was asked for; where something has changed its value, `from` and `to`. */
  readonly detail: string;
  readonly reason: string;
  /** The one team whose operator acts, or that the target belongs to: its keys may read the entry. Default nobody's. */
  readonly team?: string;
  /** Where the columns come from, with conditions: no row of it, no entry. Absent: one row. */
  readonly from?: string;
  /** For operations in several statements under one id: what a further one changes in the entry that is there. */
  readonly repeated?: 'adds' | 'adds_and_moves';
}

/** The statement, or the part of one, that writes an entry. */
export function recordAction({
  id,
  actor,
  action,
  target,
  affected = '1',
  detail,
  reason,
  team = 'null::text',
  from,
  repeated,
}: ActionEntry): string {
  const values = [id, 'clock_timestamp()', actor, action, target, affected, detail, reason, team];
  return `insert into millrace.operator_actions (id, at, actor, action, target, affected, detail, reason, team)
     select ${values.join(', ')}${from === undefined ? '' : ` from ${from}`}${repeated === undefined ? '' : onRepetition(repeated)}`;
}

function onRepetition(repeated: 'adds' | 'adds_and_moves'): string {
  const moves = repeated === 'adds_and_moves' ? ', at = excluded.at' : '';
  return `
     on conflict (id) do update set affected = millrace.operator_actions.affected + excluded.affected${moves}`;
}
