import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';

/*
 * How many messages are in which state, kept by the database's triggers as differences (millrace.ledger_count_changes)
 * and summed up by the maintenance role (millrace.ledger_counts). A reading adds both, so it is exact at every moment, and it
 * costs the same with a million messages waiting as with none: nobody counts the messages themselves.
 *
 * What waits and what is dead is counted by the second since when; what lies long back by longer spans, so that few rows
 * remain of any backlog. A time read from them is at most a tenth too early.
 */

/** What is counted: messages by how they wait or how they ended, and calls whose outcome nobody knows. */
export const countedKinds = [
  'ready',
  'delayed',
  'parked',
  'scheduled',
  'leased',
  'completed',
  'cancelled',
  'dead',
  'discarded',
  'unsettled',
] as const;
export type CountedKind = (typeof countedKinds)[number];

/** How open messages of a stage wait: due, put off, set aside until something is lifted, to start later, or under way. */
export const backlogStates = [
  'ready',
  'delayed',
  'parked',
  'scheduled',
  'leased',
] as const satisfies readonly CountedKind[];

/** How many of a kind there are; owner, stage and lane are '' for calls. */
export interface LedgerCount {
  readonly owner: string;
  readonly stage: string;
  readonly lane: string;
  readonly kind: CountedKind;
  readonly count: number;
  /** How long the oldest has been due, dead or unsettled; 0 for other kinds. */
  readonly oldestSeconds: number;
}

const span = (length: string): string => `date_bin('${length}', c.due, timestamptz 'epoch')`;

/** The beginning of the span in which `c.due` is counted by now. Longer spans are made of whole shorter ones. */
const spanOfDue = `case
     when c.due > statement_timestamp() - interval '2 minutes' or c.due = '-infinity' then c.due
     when c.due > statement_timestamp() - interval '20 minutes' then ${span('10 seconds')}
     when c.due > statement_timestamp() - interval '3 hours' then ${span('1 minute')}
     when c.due > statement_timestamp() - interval '1 day' then ${span('10 minutes')}
     when c.due > statement_timestamp() - interval '14 days' then ${span('1 hour')}
     else ${span('1 day')} end`;

const summed = `summed as (
     select c.owner, c.stage, c.lane, c.kind, ${spanOfDue} as due, sum(c.count)::bigint as count
     from (
       select owner, stage, lane, kind, due, count from millrace.ledger_counts
       union all
       select owner, stage, lane, kind, due, change from millrace.ledger_count_changes) c
     group by 1, 2, 3, 4, 5)`;

const readCounts = named(
  'ledger.read_counts',
  `with ${summed}
   select owner, stage, lane,
     case when kind <> 'waiting' then kind when due > statement_timestamp() then 'delayed' else 'ready' end as kind,
     sum(count)::float8 as count,
     coalesce(greatest(0, extract(epoch from clock_timestamp() - min(due) filter (where count > 0 and due > '-infinity'))), 0)::float8
       as oldest_seconds
   from summed group by 1, 2, 3, 4 having sum(count) <> 0`,
);

/** $1 stages: for how many seconds at least each has had a message that is due and that nobody has taken. */
const listWaitingStages = named(
  'ledger.list_waiting_stages',
  `with ${summed}
   select stage, extract(epoch from statement_timestamp() - min(due) - interval '1 second')::float8 as seconds
   from summed where kind = 'waiting' and count > 0 and due <= statement_timestamp() and stage = any($1::text[])
   group by stage`,
);

/** $1 how many differences. */
const sumUp = named(
  'ledger.sum_up_counts',
  `with taken as (
     delete from millrace.ledger_count_changes
     where ctid = any(array(select ctid from millrace.ledger_count_changes limit $1))
     returning owner, stage, lane, kind, due, change),
   kept as (
     insert into millrace.ledger_counts as k (owner, stage, lane, kind, due, count)
     select c.owner, c.stage, c.lane, c.kind, ${spanOfDue}, sum(c.change) from taken c
     group by 1, 2, 3, 4, 5 having sum(c.change) <> 0 order by 4, 2, 3, 1, 5
     on conflict (kind, stage, lane, owner, due) do update set count = k.count + excluded.count)
   select count(*)::int as count from taken`,
);

const forgetZeros = named('ledger.forget_zero_counts', `delete from millrace.ledger_counts where count = 0`);

/** What lies further back than when it was counted goes into a longer span. */
const lengthenSpans = named(
  'ledger.lengthen_count_spans',
  `with old as (
     delete from millrace.ledger_counts c where c.due > '-infinity' and c.due <> ${spanOfDue}
     returning c.owner, c.stage, c.lane, c.kind, c.due, c.count)
   insert into millrace.ledger_counts as k (owner, stage, lane, kind, due, count)
   select c.owner, c.stage, c.lane, c.kind, ${spanOfDue}, sum(c.count) from old c group by 1, 2, 3, 4, 5 order by 4, 2, 3, 1, 5
   on conflict (kind, stage, lane, owner, due) do update set count = k.count + excluded.count`,
);

/** Reads the counts, and sums up the differences. */
export class LedgerCounts {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** All counts that are not 0, as of one moment. */
  async read(): Promise<readonly LedgerCount[]> {
    const { rows } = await this.#database.query<
      Omit<LedgerCount, 'oldestSeconds'> & { oldest_seconds: number }
    >(readCounts);
    return rows.map(({ oldest_seconds: oldestSeconds, ...row }) => ({ ...row, oldestSeconds }));
  }

  /** Of these stages those with due messages that nobody has taken, and for how many seconds at least. */
  async listWaitingStages(
    stages: readonly string[],
  ): Promise<readonly { readonly stage: string; readonly seconds: number }[]> {
    const { rows } = await this.#database.query<{ stage: string; seconds: number }>(listWaitingStages, [
      stages,
    ]);
    return rows;
  }

  /** Sums up at most `limit` differences; true when there may be more. One process at a time need do it, any number may. */
  async sumUp(limit: number): Promise<boolean> {
    const { rows } = await this.#database.query<{ count: number }>(sumUp, [limit]);
    await this.#database.transaction(async (transaction) => {
      await transaction.query(lengthenSpans);
      await transaction.query(forgetZeros);
    });
    return rows[0]?.count === limit;
  }
}

/** How many messages several counts are together. */
export function sumOf(counts: readonly LedgerCount[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}

/** The age of the oldest of several counts; 0 without any. */
export function oldestOf(counts: readonly LedgerCount[]): number {
  return Math.max(0, ...counts.map(({ oldestSeconds }) => oldestSeconds));
}
