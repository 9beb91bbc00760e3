import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import { type Amount, readAmount } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';
import { endOfWindow, startOfWindow } from './quota-sql.ts';

/** A quota that concerns some work, with what its present window has left. */
export interface QuotaRoom {
  readonly name: string;
  readonly unit: 'usd' | 'tokens';
  readonly limit: Amount;
  /** Less what is spent and reserved; below zero where more was used than the limit. */
  readonly left: Amount;
  /** What happens at the limit. */
  readonly atLimit: string;
  /** Where it is about calls of one model only: "provider/model", or "provider/*". */
  readonly model: string | undefined;
  /** When the window ends; of a rolling one, when its latest slice does. */
  readonly endsAt: Date;
}

/** $1 team, $2 customer, $3 feature, $4 batch, $5 pipeline, $6 the only team whose quotas are shown, or null for all. */
const readRooms = named(
  'ledger.read_quota_rooms',
  `with instant as materialized (select clock_timestamp() as at),
   present as materialized (
     select q.*, ${startOfWindow('q', 'i.at')} as latest_start from millrace.quotas q cross join instant i
     where q.retired_at is null and (q.team is null or q.team = $1) and (q.customer is null or q.customer = $2)
       and (q.feature is null or q.feature = $3) and (q.batch is null or q.batch = $4) and (q.pipeline is null or q.pipeline = $5)
       and ($6::text is null or q.team = $6::text)),
   rooms as materialized (
     select p.name, p.unit, p.limit_amount, p.limit_amount - coalesce(w.used, 0) as left_amount, p.at_limit, p.model,
       ${endOfWindow('p', 'p.latest_start')} as ends_at
     from present p cross join lateral (
       select sum(u.spent + u.reserved) as used from millrace.quota_windows u
       where u.quota = p.name and u.window_start >= p.latest_start - coalesce(p.window_length, interval '0') and u.window_start <= p.latest_start) w),
   tightest as (
     select r.*, row_number() over (partition by r.unit, r.at_limit in ('park', 'refuse') order by r.left_amount, r.name) as place from rooms r)
   select t.name, t.unit, t.limit_amount::text as limit_amount, t.left_amount::text as left_amount, t.at_limit, t.model, t.ends_at
   from tightest t where t.place <= 100
   order by t.name`,
);

interface RoomRow {
  readonly name: string;
  readonly unit: 'usd' | 'tokens';
  readonly limit_amount: string;
  readonly left_amount: string;
  readonly at_limit: string;
  readonly model: string | null;
  readonly ends_at: Date;
}

/**
 * What the quotas that concern work of an origin in a pipeline have left, by name: of each unit the hundred that have least left among those at
 * whose limits calls stop, and as many of the others.
 */
export async function readQuotaRooms(
  database: SqlDatabase,
  { team, customer, feature, batch }: Origin,
  pipeline: string,
  onlyTeam?: string,
): Promise<readonly QuotaRoom[]> {
  const { rows } = await database.query<RoomRow>(readRooms, [
    team,
    customer,
    feature,
    batch,
    pipeline,
    onlyTeam,
  ]);
  return rows.map((row) => ({
    name: row.name,
    unit: row.unit,
    limit: readAmount(row.limit_amount),
    left: readAmount(row.left_amount),
    atLimit: row.at_limit,
    model: row.model ?? undefined,
    endsAt: row.ends_at,
  }));
}
