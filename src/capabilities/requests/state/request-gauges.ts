import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';

/** $1 how many are counted at most. */
const readOpen = named(
  'requests.read_open',
  `select (select count(*)::int from (select from millrace.requests q where q.ended_at is null limit $1) o) as open,
     coalesce((select greatest(0, extract(epoch from clock_timestamp() - q.created_at)) from millrace.requests q
       where q.ended_at is null order by q.id limit 1), 0)::float8 as oldest_seconds`,
);

/** More are not counted: a reading costs the same however many there are. */
const mostCounted = 10_000;

/** How many requests are open, and how long the oldest has been. */
export async function readRequestGauges(
  database: SqlDatabase,
): Promise<{ readonly open: number; readonly oldestSeconds: number }> {
  const { rows } = await database.query<{ open: number; oldest_seconds: number }>(readOpen, [mostCounted]);
  const [row] = rows;
  return { open: row?.open ?? 0, oldestSeconds: row?.oldest_seconds ?? 0 };
}
