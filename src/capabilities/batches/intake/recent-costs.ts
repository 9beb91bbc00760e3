import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { TokenCounts } from '../../../pricing/token-classes.ts';
import type { Batch } from '../batch.ts';

/** A message of late, and the calls of all that followed from it. */
export interface RecentMessage {
  readonly bytes: number;
  readonly calls: readonly RecentCall[];
}

export interface RecentCall {
  readonly provider: string;
  readonly model: string;
  readonly tokens: TokenCounts;
}

const maxMessages = 200;
/** Of all these messages: each is priced in every mode. */
const maxCalls = 2000;

/**
 * $1 team, $2 pipeline, $3 type, $4 how many. Messages of the type that the team has sent of late, among its newest 20,000 of any kind, which
 * have ended with all that followed.
 */
const recentMessages = named(
  'batches.recent_messages',
  `with newest as materialized (
     select m.id, m.created_at, m.pipeline, m.type, m.parent_id, m.sweep_at, m.body_bytes from millrace.messages m
     where m.team = $1 order by m.created_at desc, m.id desc limit 20000),
   roots as materialized (
     select n.id, n.created_at, n.body_bytes from newest n
     where n.pipeline = $2 and n.type = $3 and n.parent_id is null and n.sweep_at is null
       and not exists (select from millrace.messages d where d.root_id = n.id and d.parent_id is not null and d.sweep_at is not null)
     order by n.created_at desc, n.id desc limit $4)
   select r.id, r.body_bytes from roots r order by r.created_at desc, r.id desc`,
);

/** $1 such messages, $2 how many: the calls of their trees that were settled. */
const callsOfMessages = named(
  'batches.calls_of_messages',
  `select t.root_id, coalesce(c.answered_model, c.model) as model, c.provider, c.tokens
   from (
     select r.id as root_id, r.id as message_id from unnest($1::uuid[]) as r(id)
     union all
     select r.id, d.id from unnest($1::uuid[]) as r(id)
     cross join lateral (select d.id from millrace.messages d where d.root_id = r.id and d.parent_id is not null offset 0) d) t
   cross join lateral (select c.* from millrace.calls c where c.message_id = t.message_id offset 0) c
   where c.state = 'settled' and c.tokens is not null
   order by t.root_id, c.id limit $2`,
);

/** What messages like a batch's items used of late, newest first: of the batch's team only. */
export async function readRecentMessages(
  database: SqlDatabase,
  { origin, pipeline, type }: Pick<Batch, 'origin' | 'pipeline' | 'type'>,
): Promise<readonly RecentMessage[]> {
  const { rows: roots } = await database.query<{ id: Uuid; body_bytes: number }>(recentMessages, [
    origin.team,
    pipeline,
    type,
    maxMessages,
  ]);
  if (roots.length === 0) return [];
  const { rows } = await database.query<CallRow>(callsOfMessages, [roots.map(({ id }) => id), maxCalls]);
  const calls = Map.groupBy(rows, (row) => row.root_id);
  // Of the last one there may be more calls than were read, and of those behind it any.
  const last = rows.length === maxCalls ? rows.at(-1)?.root_id : undefined;
  const whole = roots.filter(({ id }) => last === undefined || id < last);
  return whole.map(({ id, body_bytes: bytes }) => ({
    bytes,
    calls: (calls.get(id) ?? []).map(({ provider, model, tokens }) => ({
      provider,
      model,
      tokens: JSON.parse(tokens) as TokenCounts,
    })),
  }));
}

interface CallRow {
  readonly root_id: Uuid;
  readonly provider: string;
  readonly model: string;
  readonly tokens: string;
}
