import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { Batch } from '../batch.ts';
import { batchOf, type BatchRow } from '../batch-rows.ts';
import * as sql from './batch-ends-sql.ts';
import type { ChunkAdmission } from './chunk-admission.ts';
import type { ChunkLedger, DispatchLimits } from './chunk-ledger.ts';
import type { EndComposer } from './end-composer.ts';
import type { EndLedger } from './end-ledger.ts';
import {
  firstLooks,
  firstPlace,
  isWorthAnotherTurn,
  type LookPlan,
  placeOfSlice,
  planLooks,
} from './end-looks.ts';
import type { WindDown } from './wind-down.ts';

/*
 * What makes batches go on, turn by turn, in the one process that has the maintenance role:
 *
 *   items that have ended are recorded ─► chunks without open items end, or wait to be begun again ─► complete batches end
 *     ─► batches of which too much fails halt ─► the next chunks are begun and admitted
 *
 * Everything it knows is in the ledger, and every statement is guarded by the state that it leaves: it may die between any two of them,
 * and two processes may do it at once for a while. A turn is bounded, and looks at nothing that merely waits.
 */

/** How much is under way over all batches. Each item may be a tree of messages. Few chunks are begun in a turn: what has ended is recorded in between. */
const dispatchLimits: DispatchLimits = { chunks: 64, items: 16_000, batches: 200, begun: 2, looks: 5000 };
/** Ended items that one look takes. */
const maxEnded = 500;
/** With fewer, the next turn waits: what it costs to look is the same for one ended item as for many. */
const worthAnotherTurn = 100;
const maxFinished = 50;

export interface BatchRunnerOptions {
  readonly database: SqlDatabase;
  readonly chunks: ChunkLedger;
  readonly ends: EndLedger;
  readonly composer: EndComposer;
  readonly admission: ChunkAdmission;
  readonly windDown: WindDown;
  readonly logger: Logger;
}

export class BatchRunner {
  readonly #options: BatchRunnerOptions;
  #looks: LookPlan = firstLooks;

  constructor(options: BatchRunnerOptions) {
    this.#options = options;
  }

  /** One turn; true when there is more to do at once. */
  async turn(): Promise<boolean> {
    const { chunks, windDown } = this.#options;
    const isWindingDown = await windDown.turn();
    const { touched, hasMore } = await this.#collect();
    await this.#conclude(touched);
    const { refused, begun } = await this.#dispatch();
    await this.#conclude(refused);
    const settled = await chunks.settle(dispatchLimits.chunks);
    return isWindingDown || hasMore || begun > 0 || settled > 0;
  }

  async #collect(): Promise<{ readonly touched: ReadonlySet<Uuid>; readonly hasMore: boolean }> {
    const { ends, composer } = this.#options;
    const plan = this.#looks;
    const front = await ends.findEnded(firstPlace, { looks: plan.front, limit: maxEnded });
    const behind =
      front.next === undefined
        ? undefined
        : await ends.findEnded(placeOfSlice(plan, front.next), { looks: plan.slice, limit: maxEnded });
    const touched = await composer.record([...front.items, ...(behind?.items ?? [])], 'running');
    this.#looks = planLooks(plan, front, behind);
    const hasMore = [front, behind].some(
      (seen) => seen !== undefined && isWorthAnotherTurn(seen, worthAnotherTurn),
    );
    return { touched, hasMore };
  }

  /** Batches that are complete end; of the others, those halt of which too much fails. */
  async #conclude(touched: ReadonlySet<Uuid>): Promise<void> {
    const { database, logger } = this.#options;
    const finished = await database.query<BatchRow>(sql.finishBatches, [maxFinished]);
    for (const row of finished.rows) logger.info(summaryOf(batchOf(row)), 'a batch has ended');
    if (touched.size === 0) return;
    const halted = await database.query<BatchRow>(sql.tripBatches, [[...touched]]);
    for (const row of halted.rows)
      logger.warn(summaryOf(batchOf(row)), 'a batch halts: too many of its items fail for the same reason');
  }

  async #dispatch(): Promise<{ readonly refused: ReadonlySet<Uuid>; readonly begun: number }> {
    const { chunks, admission } = this.#options;
    const refused = new Set<Uuid>();
    const claimed = await chunks.claim(dispatchLimits);
    // Those of a process that died are among them.
    for (const chunk of await chunks.listUnadmitted(dispatchLimits.begun))
      for (const batchId of await admission.admit(chunk)) refused.add(batchId);
    return { refused, begun: claimed };
  }
}

function summaryOf({ id, origin, state, cause, items, ended }: Batch): Record<string, unknown> {
  return { batch: id, name: origin.batch, team: origin.team, state, cause, items, ...ended };
}
