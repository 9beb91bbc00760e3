import type { SqlDatabase, SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { invariant } from '../../../kernel/invariant.ts';
import type { BatchEnding, BatchUsage, LineResult } from './provider-batch-api.ts';
import type { RequestEnd, RequestOutcome } from './provider-batch-request.ts';
import {
  batchOf,
  type BatchRow,
  outcomeOf,
  type OutcomeRow,
  type ProviderBatch,
} from './provider-batch-rows.ts';
import * as sql from './provider-batch-sql.ts';
import { mayMove, type ProviderBatchState, type UnresolvedReason } from './provider-batch-state.ts';
import type { ResultFindings } from './result-findings.ts';
import type { PlannedBatch } from './split-requests.ts';

/** What changes with a state. What is left out is kept, but for what belongs to a step (its beginning, attempts, error). */
export interface BatchMove {
  readonly state: ProviderBatchState;
  readonly nextAt: Date;
  /** Whether nobody works on it until then. */
  readonly isReturned: boolean;
  readonly stepBeganAt?: Date | undefined;
  readonly attempts?: number;
  readonly lastError?: string | undefined;
  readonly unresolved?: UnresolvedReason;
  readonly fileId?: string | undefined;
  readonly providerId?: string;
  readonly ending?: BatchEnding;
  readonly findings?: ResultFindings;
  readonly cancelSentAt?: Date;
  readonly createdAt?: Date;
  readonly closedAt?: Date;
  readonly readings?: number;
  /** `kept`: as it was before. Left out: it goes on. */
  readonly hindered?: 'yes' | 'kept';
}

/** Requests and tokens with one outcome. */
export interface OutcomeSum extends BatchUsage {
  readonly outcome: RequestEnd;
  readonly requests: number;
  /** Succeeded without saying what they took. */
  readonly silent: number;
}

/** Who decides about a batch that cannot go on by itself, and why. */
export interface ResolvedBy {
  readonly actor: string;
  readonly reason: string;
  /** Whose operators may read of it in the audit. */
  readonly team?: string | undefined;
}

interface ResolutionAudit extends ResolvedBy {
  readonly id: Uuid;
  readonly detail: object;
}

/** Somebody else has the batch: whoever gets this does nothing more with it. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

/** Rows of one statement. */
const pageRows = 500;

/** Provider batches and their requests in the ledger's database. */
export class ProviderBatchLedger {
  readonly #database: SqlDatabase;
  readonly #leaseMs: number;

  /** `leaseMs`: longer than any one request to a provider may take. */
  constructor(database: SqlDatabase, leaseMs: number) {
    this.#database = database;
    this.#leaseMs = leaseMs;
  }

  /** In which batches requests stand, by their ids. */
  async batchesOf(
    requestIds: readonly string[],
    executor: SqlExecutor = this.#database,
  ): Promise<Map<string, Uuid>> {
    const { rows } = await executor.query<{ request_id: string; batch_id: Uuid }>(sql.findRequests, [
      requestIds,
    ]);
    return new Map(rows.map(({ request_id: id, batch_id: batch }) => [id, batch]));
  }

  /** Writes batches down, all or none. Throws MILLRACE_DATA_REFUSED when a request of them is in a batch already. */
  async plan(account: string, batches: readonly PlannedBatch[], now: Date): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      for (const { id, model, endpoint, bytes, estimatedTokens, requests } of batches) {
        const row = [id, account, model, endpoint, requests.length, bytes, estimatedTokens, now];
        await transaction.query(sql.planBatch, row);
        for (let start = 0; start < requests.length; start += pageRows) {
          const page = requests.slice(start, start + pageRows).map((request, index) => ({
            place: start + index,
            request_id: request.id,
            body: request.body,
            estimated_tokens: request.estimatedTokens,
          }));
          await transaction.query(sql.planRequests, [id, JSON.stringify(page)]);
        }
      }
    });
  }

  /** Takes the lease of the batch that is due longest; undefined when none is. */
  async claim(now: Date): Promise<ProviderBatch | undefined> {
    const { rows } = await this.#database.query<BatchRow>(sql.claimBatch, [now, this.#leaseMs]);
    return rows.map(batchOf).at(0);
  }

  /** Has the lease last its whole length again. Throws LeaseLostError. */
  async renew({ id, fence }: ProviderBatch): Promise<void> {
    const { rows } = await this.#database.query(sql.renewLease, [id, fence, this.#leaseMs]);
    if (rows.length === 0) throw new LeaseLostError(`The lease of provider batch ${id} is another's.`);
  }

  /** Writes down where the batch is now, which renews or returns its lease. Throws LeaseLostError. */
  async move(
    batch: ProviderBatch,
    move: BatchMove,
    executor: SqlExecutor = this.#database,
  ): Promise<ProviderBatch> {
    invariant(mayMove(batch.state, move.state), `a batch goes from ${batch.state} to ${move.state}`);
    const { rows } = await executor.query<BatchRow>(sql.moveBatch, [
      batch.id,
      batch.fence,
      batch.state,
      move.state,
      move.nextAt,
      move.isReturned ? null : this.#leaseMs,
      move.stepBeganAt ?? null,
      move.attempts ?? 0,
      move.lastError ?? null,
      move.unresolved ?? null,
      move.fileId ?? null,
      move.providerId ?? null,
      move.ending === undefined ? null : JSON.stringify(move.ending),
      move.findings === undefined ? null : JSON.stringify(move.findings),
      move.cancelSentAt ?? null,
      move.createdAt ?? null,
      move.closedAt ?? null,
      move.readings ?? null,
      move.hindered ?? 'no',
    ]);
    const [moved] = rows.map(batchOf);
    if (moved === undefined)
      throw new LeaseLostError(`The lease of provider batch ${batch.id} is another's.`);
    return moved;
  }

  /**
   * Begins to create the batch if what its account and model have open leaves room for it, or nothing is open. Answers undefined when
   * there is no room. Throws LeaseLostError.
   */
  async beginCreation(
    batch: ProviderBatch,
    limit: number | undefined,
    now: Date,
  ): Promise<ProviderBatch | undefined> {
    const { account, model, estimatedTokens } = batch;
    const move = {
      state: 'creating',
      nextAt: now,
      isReturned: false,
      stepBeganAt: now,
      hindered: 'kept',
    } as const;
    if (limit === undefined) return await this.move(batch, move);
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(sql.lockEnqueued, [`${account} ${model}`]);
      const { rows } = await transaction.query<{ tokens: string }>(sql.sumEnqueued, [account, model]);
      const open = Number(rows[0]?.tokens ?? 0);
      if (open > 0 && open + estimatedTokens > limit) return undefined;
      return await this.move(batch, move, transaction);
    });
  }

  /** Whether the provider's batch is one of the account's other batches. */
  async isOther({ account, id }: ProviderBatch, providerId: string): Promise<boolean> {
    return (await this.#database.query(sql.findOther, [account, providerId, id])).rows.length > 0;
  }

  /** The bodies of the batch's requests in their order. */
  async *readRequests(batchId: Uuid): AsyncGenerator<{ place: number; body: string }> {
    for (let after = -1; ;) {
      const parameters = [batchId, after, pageRows];
      const { rows } = await this.#database.query<{ place: number; body: string }>(
        sql.readRequests,
        parameters,
      );
      yield* rows;
      if (rows.length < pageRows) return;
      after = rows.at(-1)?.place ?? after;
    }
  }

  /** Keeps outcomes; a request that has one already keeps that. Throws LeaseLostError. */
  async recordOutcomes(batch: ProviderBatch, results: ReadonlyMap<number, LineResult>): Promise<void> {
    await this.renew(batch);
    if (results.size === 0) return;
    const rows = [...results].map(([place, { outcome, statusCode, body, error, usage }]) => ({
      place,
      outcome,
      status_code: statusCode,
      result: body,
      error_code: error?.code,
      error_message: error?.message,
      input_tokens: usage?.inputTokens,
      output_tokens: usage?.outputTokens,
    }));
    await this.#database.query(sql.recordOutcomes, [batch.id, batch.fence, JSON.stringify(rows)]);
  }

  /** How many of its requests have no outcome. */
  async countOpen(batchId: Uuid): Promise<number> {
    return (await this.#database.query<{ open: number }>(sql.countOpen, [batchId])).rows[0]?.open ?? 0;
  }

  /** Gives every request without an outcome this one, adds up all of them, and goes on to `collected`, all at once. */
  async endCollection(
    batch: ProviderBatch,
    rest: { readonly outcome: RequestEnd; readonly code: string; readonly message: string },
    moveFor: (sums: readonly OutcomeSum[]) => BatchMove,
  ): Promise<ProviderBatch> {
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(sql.endRest, [batch.id, rest.outcome, rest.code, rest.message]);
      // The move shows the fencing token: without it all of this is undone.
      return await this.move(batch, moveFor(await this.sums(batch.id, transaction)), transaction);
    });
  }

  /** Its requests and tokens by outcome. */
  async sums(batchId: Uuid, executor: SqlExecutor = this.#database): Promise<OutcomeSum[]> {
    const { rows } = await executor.query<{
      outcome: RequestEnd;
      requests: number;
      input_tokens: string;
      output_tokens: string;
      silent: number;
    }>(sql.sumOutcomes, [batchId]);
    return rows.map(({ input_tokens: inputTokens, output_tokens: outputTokens, ...sum }) => ({
      ...sum,
      inputTokens: Number(inputTokens),
      outputTokens: Number(outputTokens),
    }));
  }

  /**
   * Settles the next outcomes that are not settled, in order: `settle` writes into the transaction in which they are marked, so that both
   * are there or neither; what it answers is called when they are. Only when every request has its outcome. Answers how many there
   * were. Throws LeaseLostError.
   */
  async settleNext(
    batch: ProviderBatch,
    settle: (transaction: SqlExecutor, outcomes: readonly RequestOutcome[]) => Promise<() => void>,
  ): Promise<number> {
    const settled = await this.#database.transaction(async (transaction) => {
      const lease = [batch.id, batch.fence, this.#leaseMs];
      const held = await transaction.query<{ settled_through: number }>(sql.beginSettling, lease);
      const through = held.rows[0]?.settled_through;
      if (through === undefined)
        throw new LeaseLostError(`The lease of provider batch ${batch.id} is another's.`);
      const { rows } = await transaction.query<OutcomeRow>(sql.readOutcomes, [batch.id, through, pageRows]);
      const last = rows.at(-1)?.place;
      if (last === undefined) return { count: 0 };
      const onCommitted = await settle(transaction, rows.map(outcomeOf));
      await transaction.query(sql.markSettled, [batch.id, last]);
      return { count: rows.length, onCommitted };
    });
    settled.onCommitted?.();
    return settled.count;
  }

  /** What became of the batch's requests, in their order; of those that have an outcome. */
  async *outcomes(batchId: Uuid): AsyncGenerator<RequestOutcome> {
    for (let after = -1; ;) {
      const { rows } = await this.#database.query<OutcomeRow>(sql.readOutcomes, [batchId, after, pageRows]);
      for (const row of rows) yield outcomeOf(row);
      if (rows.length < pageRows) return;
      after = rows.at(-1)?.place ?? after;
    }
  }

  async find(id: Uuid): Promise<ProviderBatch | undefined> {
    return (await this.#database.query<BatchRow>(sql.findBatch, [id])).rows.map(batchOf).at(0);
  }

  /** When the next batch is due; undefined when there is none. */
  async nextDue(): Promise<Date | undefined> {
    const { rows } = await this.#database.query<{ next_at: Date | null }>(sql.nextDue);
    return rows[0]?.next_at ?? undefined;
  }

  /** Has the batch cancelled. Says whether it was not at its end. */
  async requestCancel(id: Uuid, now: Date): Promise<boolean> {
    return (await this.#database.query(sql.requestCancel, [id, now])).rows.length > 0;
  }

  /** Goes on as an operator decided, with an entry in the audit. Undefined when the batch is not unresolved. */
  async resolve(
    id: Uuid,
    to: { readonly state?: 'running' | 'ended'; readonly providerId?: string; readonly ending?: BatchEnding },
    audit: ResolutionAudit,
    now: Date,
  ): Promise<ProviderBatch | undefined> {
    const ending = to.ending === undefined ? null : JSON.stringify(to.ending);
    const { rows } = await this.#database.query<BatchRow>(sql.resolveBatch, [
      id,
      to.state ?? null,
      to.providerId ?? null,
      ending,
      now,
      audit.id,
      audit.actor,
      JSON.stringify(audit.detail),
      audit.reason,
      audit.team,
    ]);
    return rows.map(batchOf).at(0);
  }

  /** Forgets batches that were closed before, with bodies and results. Answers how many, `limit` at most. */
  async forget(before: Date, limit: number): Promise<number> {
    return (await this.#database.query(sql.forgetBatches, [before, limit])).affected;
  }
}
