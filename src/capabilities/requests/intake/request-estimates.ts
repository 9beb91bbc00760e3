import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { formatUsd, usd } from '../../../kernel/money.ts';
import type { RequestEstimate } from '../state/request-document.ts';
import type { StageQueue } from './stage-queues.ts';

/** $1 team, $2 pipeline, $3 how many: what its newest completed requests cost on average, of those whose calls all have a price. */
const readRecentCost = named(
  'requests.read_recent_cost',
  `select round(avg(r.cost_usd), 9)::text as average_usd from (
     select q.cost_usd, q.unpriced, q.unsettled from millrace.requests q
     where q.team = $1 and q.pipeline = $2 and q.state = 'completed' order by q.ended_at desc, q.id desc limit $3) r
   where r.unpriced = 0 and r.unsettled = 0`,
);

const recentRequests = 100;
const keptMs = 15_000;
/** Teams and pipelines whose costs are kept. */
const maxKept = 1000;

/** What a client is told of its request before it has begun. What nobody knows is absent. */
export class RequestEstimates {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  readonly #costs = new Map<
    string,
    { readonly atMs: number; readonly costUsd: Promise<string | undefined> }
  >();

  constructor(database: SqlDatabase, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** `queue`: what waits at the pipeline's first stage. */
  async estimate(team: string, pipeline: string, queue: StageQueue | undefined): Promise<RequestEstimate> {
    const startSeconds = queue && startOf(queue);
    const costUsd = await this.#costOf(team, pipeline);
    return {
      ...(startSeconds === undefined ? {} : { startSeconds }),
      ...(costUsd === undefined ? {} : { costUsd }),
    };
  }

  /** Read at most every few seconds for each team and pipeline, however many ask. */
  #costOf(team: string, pipeline: string): Promise<string | undefined> {
    const name = JSON.stringify([team, pipeline]);
    const nowMs = this.#clock.monotonicMs();
    const kept = this.#costs.get(name);
    if (kept !== undefined && nowMs - kept.atMs < keptMs) return kept.costUsd;
    // The oldest goes: a map has its entries in the order in which they came.
    this.#costs.delete(name);
    if (this.#costs.size >= maxKept)
      for (const oldest of this.#costs.keys()) {
        this.#costs.delete(oldest);
        break;
      }
    const costUsd = this.#readCost(team, pipeline);
    this.#costs.set(name, { atMs: nowMs, costUsd });
    costUsd.catch(() => this.#costs.delete(name));
    return costUsd;
  }

  async #readCost(team: string, pipeline: string): Promise<string | undefined> {
    const { rows } = await this.#database.query<{ average_usd: string | null }>(readRecentCost, [
      team,
      pipeline,
      recentRequests,
    ]);
    const average = rows[0]?.average_usd ?? undefined;
    return average === undefined ? undefined : formatUsd(usd(average));
  }
}

/** In whole seconds, up; unknown where something waits and nothing ends. */
function startOf({ waiting, endsPerSecond }: StageQueue): number | undefined {
  if (waiting === 0) return 0;
  return endsPerSecond > 0 ? Math.ceil(waiting / endsPerSecond) : undefined;
}
