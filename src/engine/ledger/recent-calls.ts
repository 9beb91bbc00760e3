import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import type { WasteReason } from './settlement.ts';

/** Calls of the last hour whose cost bought nothing, for one reason. */
export interface WastedCalls {
  readonly reason: WasteReason;
  readonly calls: number;
  /** What is known of their cost, exact. */
  readonly costUsd: Usd;
  /** What those without a known cost can have cost at most. */
  readonly openUpperUsd: Usd;
}

/** Calls to a model that failed in the last hour, of one kind. */
export interface FailingCalls {
  readonly provider: string;
  readonly model: string;
  /** As usage records name it: "rate_limited", "timeout", … */
  readonly errorType: string;
  readonly calls: number;
}

/** What went wrong with calls in the last hour. */
export interface RecentCalls {
  readonly wasted: readonly WastedCalls[];
  /** At most 20, the most frequent first. */
  readonly failing: readonly FailingCalls[];
}

const maxFailing = 20;

interface RecentRow {
  readonly waste_reason: WasteReason | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly error_type: string | null;
  readonly calls: number;
  readonly failed: number;
  readonly cost_usd: string;
  readonly open_upper_usd: string;
}

/** The least id of calls that were asked for within a day: ids begin with their milliseconds, so that the primary key finds them. */
const leastIdOfDay = `rpad(lpad(to_hex((extract(epoch from now() - interval '1 day') * 1000)::bigint), 12, '0'), 32, '0')::uuid`;

/** Two groupings of one scan: by why they are waste (without a provider), and by model and kind of failure. */
const readRecent = named(
  'ledger.read_recent_calls',
  `select waste_reason, provider, model, error_type, count(*)::int as calls,
     (count(*) filter (where outcome <> 'ok'))::int as failed,
     coalesce(sum(cost_usd), 0)::text as cost_usd,
     coalesce(sum(upper_bound_usd) filter (where cost_usd is null), 0)::text as open_upper_usd
   from millrace.calls
   where id >= ${leastIdOfDay} and greatest(settled_at, invalidated_at) > clock_timestamp() - interval '1 hour'
     and (waste_reason is not null or outcome <> 'ok')
   group by grouping sets ((waste_reason), (provider, model, error_type))
   order by failed desc, waste_reason, provider, model, error_type`,
);

/** Reads what calls of the last hour wasted and how they failed. Of those that were made within the last day: what was asked for earlier is not looked at. */
export async function readRecentCalls(database: SqlDatabase): Promise<RecentCalls> {
  const { rows } = await database.query<RecentRow>(readRecent);
  return {
    wasted: rows
      .flatMap(({ waste_reason: reason, provider, calls, cost_usd, open_upper_usd }) =>
        reason === null || provider !== null
          ? []
          : [{ reason, calls, costUsd: usd(cost_usd), openUpperUsd: usd(open_upper_usd) }],
      )
      .toSorted((a, b) => b.costUsd.comparedTo(a.costUsd) || (a.reason < b.reason ? -1 : 1)),
    failing: rows
      .flatMap(({ provider, model, error_type: errorType, failed }) =>
        provider === null || model === null || failed === 0
          ? []
          : [{ provider, model, errorType: errorType ?? 'unknown', calls: failed }],
      )
      .slice(0, maxFailing),
  };
}
