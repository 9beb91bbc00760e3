import type { SqlDatabase, SqlStatement } from '../../../drivers/sql-database/sql-database.ts';
import { newId, type Uuid } from '../../../kernel/ids.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Operator } from '../../../http/operator.ts';
import type { Batch, BatchState, Cause } from '../batch.ts';
import { batchOf, type BatchRow } from '../batch-rows.ts';
import * as sql from './operations-sql.ts';

/** Who changes a batch, and why. */
export interface BatchOrder {
  readonly batchId: Uuid;
  readonly operator: Operator;
  readonly reason: string;
}

/** What of a batch can be changed while it runs. */
export interface BatchChange {
  readonly priority?: number | undefined;
  /** Null: none. */
  readonly deadline?: Date | null | undefined;
}

/** In which states each can be done. */
export const allowedStates = {
  pause: ['running'],
  resume: ['paused', 'halted'],
  cancel: ['running', 'paused', 'halted'],
  change: ['receiving', 'running', 'paused', 'halted'],
  retry: ['paused', 'halted', 'succeeded', 'failed', 'cancelled', 'expired'],
} as const satisfies Record<string, readonly BatchState[]>;

/** What operators change of batches, in the ledger. Undefined where the batch is in no state in which it can be done. */
export class BatchOperations {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;

  constructor(database: SqlDatabase, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  pause(order: BatchOrder): Promise<Batch | undefined> {
    return this.#change(sql.pauseBatch, order, allowedStates.pause);
  }

  resume(order: BatchOrder): Promise<Batch | undefined> {
    return this.#change(sql.resumeBatch, order, allowedStates.resume);
  }

  cancel(order: BatchOrder, cause: Cause): Promise<Batch | undefined> {
    return this.#change(sql.cancelBatch, order, allowedStates.cancel, [JSON.stringify(cause)]);
  }

  change(order: BatchOrder, { priority, deadline }: BatchChange): Promise<Batch | undefined> {
    const more = [priority ?? null, deadline !== undefined, deadline ?? null];
    return this.#change(sql.changeBatch, order, allowedStates.change, more);
  }

  /** Undefined too where there is nothing that could be run again. */
  async retry(order: BatchOrder): Promise<{ readonly batch: Batch; readonly items: number } | undefined> {
    const [row] = await this.#run<BatchRow & { readonly again: number }>(
      sql.retryBatch,
      order,
      allowedStates.retry,
    );
    return row && { batch: batchOf(row), items: row.again };
  }

  async #change(
    statement: SqlStatement,
    order: BatchOrder,
    states: readonly BatchState[],
    more: readonly unknown[] = [],
  ): Promise<Batch | undefined> {
    const [row] = await this.#run<BatchRow>(statement, order, states, more);
    return row && batchOf(row);
  }

  async #run<Row>(
    statement: SqlStatement,
    { batchId, operator, reason }: BatchOrder,
    states: readonly BatchState[],
    more: readonly unknown[] = [],
  ): Promise<readonly Row[]> {
    const { rows } = await this.#database.query<Row>(statement, [
      batchId,
      operator.team,
      newId(this.#clock.now()),
      operator.actor,
      reason,
      states,
      ...more,
    ]);
    return rows;
  }
}
