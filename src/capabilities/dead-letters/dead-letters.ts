import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import { type Uuid, isUuid } from '../../kernel/ids.ts';
import { usd } from '../../kernel/money.ts';
import type {
  DeadLetter,
  DeadLetterAction,
  DeadLetterCall,
  DeadLetterFailure,
  DeadLetterFilter,
  DeadLetterHistory,
  DeadLetterPage,
  DeadLetterPlace,
  ReplayedMessage,
  StageReplayPlan,
} from './dead-letter.ts';
import type { OperationRecord } from '../../engine/ledger/operation-record.ts';
import type { Viewer } from '../../http/operator.ts';
import * as sql from './dead-letter-sql.ts';
import type { MessageState } from '../../engine/ledger/message-state.ts';
import {
  type MessageRow,
  type OriginColumns,
  bodyOf,
  envelopeOf,
  originOfColumns,
} from '../../engine/ledger/stored-message.ts';

/*
 * Dead letters in the ledger: what died, why, what was paid for it, and what operators did about it.
 *
 *   dead_lettered ─► pending             replay: the same row, so that its calls are its journal and it has one end
 *   dead_lettered ─► dead_lettered       discard: a mark; it keeps its end and is counted no more
 *
 * An operation works in slices, each one statement: messages, their history and the audit row are written together.
 * Whatever a slice touched is not touched again by the same operation, even when it dies again meanwhile.
 */

export class DeadLetters {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async list(
    filter: DeadLetterFilter,
    viewer: Viewer,
    page: { readonly after?: DeadLetterPlace; readonly limit: number },
  ): Promise<DeadLetterPage> {
    const { rows } = await this.#database.query<DeadRow & { readonly died_us: string }>(sql.listDeadLetters, [
      ...selectionOf(filter, viewer),
      page.after?.diedUs,
      page.after?.id,
      page.limit + 1,
    ]);
    const shown = rows.slice(0, page.limit);
    const last = shown.at(-1);
    return {
      letters: shown.map((row) => deadLetterOf(row)),
      next:
        rows.length > page.limit && last !== undefined ? { diedUs: last.died_us, id: last.id } : undefined,
    };
  }

  /** A message that is dead or was once, with everything that is known; undefined when there is none for the viewer. */
  async find(id: string, viewer: Viewer): Promise<DeadLetterHistory | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await this.#database.query<DeadRow>(sql.findDeadLetter, [id, viewer.team]);
    const [row] = rows;
    if (row === undefined) return undefined;
    const [failures, calls, actions] = await Promise.all([
      this.#database.query<DeadLetterFailure>(sql.listDeadLetterFailures, [id]),
      this.#database.query<DeadLetterCall>(sql.listDeadLetterCalls, [id]),
      this.#database.query<DeadLetterAction>(sql.listDeadLetterActions, [id]),
    ]);
    return { letter: deadLetterOf(row), failures: failures.rows, calls: calls.rows, actions: actions.rows };
  }

  /** What replaying the oldest `max` of the selection would meet and cost. Changes nothing. */
  async plan(filter: DeadLetterFilter, viewer: Viewer, max: number): Promise<readonly StageReplayPlan[]> {
    const { rows } = await this.#database.query<PlanRow>(sql.planReplay, [
      ...selectionOf(filter, viewer),
      max,
    ]);
    return rows.map((row) => planOf(row));
  }

  /** One slice of a replay, oldest death first. The first is due after `firstMs`, each further one `stepMs` later. */
  async replaySlice(
    filter: DeadLetterFilter,
    viewer: Viewer,
    slice: OperationRecord & { readonly limit: number; readonly firstMs: number; readonly stepMs: number },
  ): Promise<readonly ReplayedMessage[]> {
    const rows = await this.#operate<ReplayedRow>(sql.replayDeadLetters, filter, viewer, slice, [
      slice.firstMs,
      slice.stepMs,
    ]);
    return rows
      .map((row) => replayedOf(row))
      .toSorted((one, other) => one.delayMs - other.delayMs || (one.id < other.id ? -1 : 1));
  }

  /** One slice of a discard, oldest death first; those that are discarded already stay as they are. */
  async discardSlice(
    filter: DeadLetterFilter,
    viewer: Viewer,
    slice: OperationRecord & { readonly limit: number },
  ): Promise<readonly { readonly id: Uuid; readonly stage: string; readonly owner: string }[]> {
    return await this.#operate(sql.discardDeadLetters, { ...filter, discarded: 'no' }, viewer, slice, []);
  }

  async #operate<Row>(
    statement: SqlStatement,
    filter: DeadLetterFilter,
    viewer: Viewer,
    { id, limit, actor, target, detail, reason }: OperationRecord & { readonly limit: number },
    more: readonly unknown[],
  ): Promise<readonly Row[]> {
    const action = statement === sql.replayDeadLetters ? 'dead_letters.replay' : 'dead_letters.discard';
    const { rows } = await this.#database.query<Row>(statement, [
      ...selectionOf(filter, viewer),
      id,
      limit,
      actor,
      action,
      target,
      JSON.stringify(detail),
      reason,
      ...more,
    ]);
    return rows;
  }
}

interface DeadRow extends MessageRow {
  readonly state: MessageState;
  readonly error_code: string | null;
  readonly finished_at: Date | null;
  readonly discarded_at: Date | null;
  readonly discarded_by: string | null;
  readonly body_bytes: number;
  readonly replays: number;
  readonly paid_usd: string;
}

interface PlanRow {
  readonly stage: string;
  readonly owner: string;
  readonly count: number;
  readonly reusable_steps: number;
  readonly reusable_usd: string;
  readonly paid_usd: string;
  readonly sample_size: number;
  readonly estimated_usd: string | null;
  readonly most_expensive_usd: string | null;
}

interface ReplayedRow extends OriginColumns {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly trace_parent: string;
  readonly fencing_token: number;
  readonly delay_ms: number;
}

/** The thirteen parameters that every selection begins with. */
function selectionOf(filter: DeadLetterFilter, viewer: Viewer): readonly unknown[] {
  return [
    filter.ids,
    filter.stage,
    filter.pipeline,
    filter.owner,
    filter.team,
    filter.customer,
    filter.feature,
    filter.batch,
    filter.errorCode,
    filter.from,
    filter.to,
    filter.discarded ?? 'no',
    viewer.team,
  ];
}

function deadLetterOf(row: DeadRow): DeadLetter {
  return {
    envelope: envelopeOf(row),
    body: bodyOf(row),
    bodyBytes: row.body_bytes,
    state: row.state,
    errorCode: row.error_code ?? undefined,
    diedAt: row.state === 'dead_lettered' ? (row.finished_at ?? undefined) : undefined,
    deliveries: row.deliveries,
    attempts: row.attempts + row.invalid_output_attempts,
    totalAttempts: row.prior_attempts + row.attempts + row.invalid_output_attempts,
    replays: row.replays,
    paidUsd: usd(row.paid_usd),
    discarded: row.discarded_at === null ? undefined : { at: row.discarded_at, by: row.discarded_by ?? '' },
  };
}

function planOf(row: PlanRow): StageReplayPlan {
  return {
    stage: row.stage,
    owner: row.owner,
    count: row.count,
    reusableSteps: row.reusable_steps,
    reusableUsd: usd(row.reusable_usd),
    paidUsd: usd(row.paid_usd),
    sampleSize: row.sample_size,
    estimatedUsd: row.estimated_usd === null ? undefined : usd(row.estimated_usd),
    mostExpensiveUsd: row.most_expensive_usd === null ? undefined : usd(row.most_expensive_usd),
  };
}

function replayedOf(row: ReplayedRow): ReplayedMessage {
  return {
    id: row.id,
    stage: row.stage,
    owner: row.owner,
    lane: row.lane,
    origin: originOfColumns(row),
    traceParent: row.trace_parent,
    fencingToken: row.fencing_token,
    delayMs: row.delay_ms,
  };
}
