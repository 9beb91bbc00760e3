import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';

/*
 * How fast the backlog of each stage goes away: what boards show and autoscalers act on, beside how much waits
 * (ledger-counts.ts). Every process adds the messages that it ended to buckets of ten seconds in the ledger, so that
 * each can tell the rate of all of them.
 */

/** $1 stages in order, $2 how many messages of each ended here since the last time. */
const noteEnds: SqlStatement = {
  name: 'ledger.note_ends',
  text: `with forgotten as (delete from millrace.stage_ends where bucket < statement_timestamp() - interval '15 minutes')
   insert into millrace.stage_ends as e (stage, bucket, ended)
   select u.stage, to_timestamp(floor(extract(epoch from clock_timestamp()) / 10) * 10), u.ended
   from unnest($1::text[], $2::int[]) as u(stage, ended)
   on conflict (stage, bucket) do update set ended = e.ended + excluded.ended`,
};

/** Messages a second by stage. */
const readEndRates: SqlStatement = {
  name: 'ledger.read_end_rates',
  text: `select stage, sum(ended)::float8
     / greatest(10, extract(epoch from clock_timestamp() - min(bucket)))::float8 as per_second
   from millrace.stage_ends where bucket > statement_timestamp() - interval '3 minutes'
   group by stage`,
};

/** Keeps count of what this process ended, and reads what all of them did. */
export class StageBacklog {
  readonly #database: SqlDatabase;
  #ended = new Map<string, number>();

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** A message of the stage came to its end here. */
  ended(stage: string): void {
    this.#ended.set(stage, (this.#ended.get(stage) ?? 0) + 1);
  }

  /** How many messages of each stage end in a second, over the last three minutes and all processes. */
  async endRates(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#database.query<{ stage: string; per_second: number }>(readEndRates);
    return new Map(rows.map((row) => [row.stage, row.per_second]));
  }

  /** Tells all processes what ended here since the last time: never more to do at once, and nothing when nothing ended. */
  async noteEnds(): Promise<false> {
    if (this.#ended.size === 0) return false;
    const ended = this.#ended;
    this.#ended = new Map();
    // In one order, so that two processes never wait for each other's rows.
    const stages = [...ended.keys()].toSorted();
    try {
      await this.#database.query(noteEnds, [stages, stages.map((stage) => ended.get(stage) ?? 0)]);
      return false;
    } catch (error) {
      // Not lost for the next reading.
      for (const [stage, count] of ended) this.#ended.set(stage, (this.#ended.get(stage) ?? 0) + count);
      throw error;
    }
  }
}

/**
 * How long a backlog takes to drain at the present rate. While nothing ends nobody can say: then it is at least as
 * long as the oldest has waited already.
 */
export function drainSeconds(backlog: {
  readonly ready: number;
  readonly endsPerSecond: number;
  readonly oldestSeconds: number;
}): number {
  const { ready, endsPerSecond, oldestSeconds } = backlog;
  if (ready === 0) return 0;
  return endsPerSecond > 0 ? ready / endsPerSecond : oldestSeconds;
}
