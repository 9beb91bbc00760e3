import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { definitionOf, type ScheduleDefinition } from './schedule-definition.ts';
import * as sql from './run-sql.ts';
import type { MissedTimes } from './timing/plan-runs.ts';

/** A schedule whose time has come. */
export interface DueSchedule {
  readonly id: Uuid;
  readonly revision: number;
  readonly name: string;
  readonly definition: ScheduleDefinition;
  readonly fromAt: Date;
  readonly nextAt: Date;
  /** The ledger's time as it was read. */
  readonly nowMs: number;
}

/** What is to be written of a schedule whose time has come. */
export interface PlannedSchedule {
  readonly schedule: Pick<DueSchedule, 'id' | 'revision' | 'nextAt'>;
  readonly runs: readonly { readonly atMs: number; readonly message: string }[];
  readonly missed: MissedTimes | undefined;
  readonly nextAt: Date | null;
  readonly dueAt: Date | null;
}

export type RunKind = 'scheduled' | 'manual';

/** A run whose message is to be admitted. */
export interface DueRun {
  readonly scheduleId: Uuid;
  readonly at: Date;
  readonly kind: RunKind;
  readonly message: string;
  readonly plannedAt: Date;
  readonly skipsOverlap: boolean;
  /** What followed from the run before is under way. */
  readonly isPreviousOpen: boolean;
  /** How much later than its times the schedule runs. */
  readonly offsetMs: number;
  readonly nowMs: number;
}

/** What came of a run. */
export type RunOutcome = Pick<DueRun, 'scheduleId' | 'at' | 'kind'> &
  (
    | { readonly state: 'started'; readonly messageIds: readonly Uuid[] }
    | { readonly state: 'skipped' }
    | { readonly state: 'failed'; readonly errorCode: string; readonly detail: string }
    | { readonly state: 'due'; readonly againInMs: number }
  );

/** The runs of schedules in the ledger. */
export class RunLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Schedules whose time has come by the ledger's clock, the longest due first. */
  async listDueSchedules(limit: number): Promise<readonly DueSchedule[]> {
    const { rows } = await this.#database.query<{
      id: Uuid;
      revision: number;
      name: string;
      definition: string;
      from_at: Date;
      next_at: Date;
      now_ms: number;
    }>(sql.listDueSchedules, [limit]);
    return rows.map((row) => ({
      id: row.id,
      revision: row.revision,
      name: row.name,
      definition: definitionOf(row.definition),
      fromAt: row.from_at,
      nextAt: row.next_at,
      nowMs: row.now_ms,
    }));
  }

  /** Writes runs with the next times of their schedules; answers the schedules for which that was done here. */
  async plan(planned: readonly PlannedSchedule[]): Promise<ReadonlySet<Uuid>> {
    const schedules = planned.map(({ schedule, nextAt, dueAt }) => ({
      id: schedule.id,
      revision: schedule.revision,
      was_at: schedule.nextAt.toISOString(),
      next_at: nextAt?.toISOString(),
      due_at: dueAt?.toISOString(),
    }));
    const runs = planned.flatMap(({ schedule: { id }, runs: due, missed }) => [
      ...due.map(({ atMs, message }) => ({
        schedule_id: id,
        at: new Date(atMs).toISOString(),
        state: 'due',
        message,
        times: 1,
        is_at_least: false,
      })),
      ...(missed === undefined
        ? []
        : [
            {
              schedule_id: id,
              at: new Date(missed.lastMs).toISOString(),
              state: 'missed',
              first_at: new Date(missed.firstMs).toISOString(),
              times: missed.count,
              is_at_least: missed.isAtLeast,
            },
          ]),
    ]);
    const { rows } = await this.#database.query<{ id: Uuid }>(sql.planRuns, [
      JSON.stringify(schedules),
      JSON.stringify(runs),
    ]);
    return new Set(rows.map(({ id }) => id));
  }

  /** Plans a run at once, in the transaction of an operation; undefined when one was asked for in the very same millisecond. */
  async addManual(executor: SqlExecutor, scheduleId: Uuid, message: string): Promise<Date | undefined> {
    const { rows } = await executor.query<{ at: Date }>(sql.addManualRun, [scheduleId, message]);
    return rows[0]?.at;
  }

  /** Runs whose messages are to be admitted, the longest due first. */
  async listDueRuns(limit: number): Promise<readonly DueRun[]> {
    const { rows } = await this.#database.query<{
      schedule_id: Uuid;
      at: Date;
      kind: RunKind;
      message: string;
      planned_at: Date;
      overlap: 'allow' | 'skip';
      offset_ms: number;
      is_open: boolean;
      now_ms: number;
    }>(sql.listDueRuns, [limit]);
    return rows.map((row) => ({
      scheduleId: row.schedule_id,
      at: row.at,
      kind: row.kind,
      message: row.message,
      plannedAt: row.planned_at,
      skipsOverlap: row.overlap === 'skip',
      isPreviousOpen: row.is_open,
      offsetMs: row.offset_ms,
      nowMs: row.now_ms,
    }));
  }

  /** Notes what came of runs; answers those of which it was not noted before. */
  async record(outcomes: readonly RunOutcome[]): Promise<readonly RunOutcome[]> {
    const told = outcomes.map((outcome) => ({
      schedule_id: outcome.scheduleId,
      at: outcome.at.toISOString(),
      kind: outcome.kind,
      state: outcome.state,
      ...(outcome.state === 'started' ? { message_ids: outcome.messageIds } : {}),
      ...(outcome.state === 'failed' ? { error_code: outcome.errorCode, detail: outcome.detail } : {}),
      ...(outcome.state === 'due' ? { again_in_ms: outcome.againInMs } : {}),
    }));
    const { rows } = await this.#database.query<{ schedule_id: Uuid; at: Date; kind: RunKind }>(
      sql.recordRuns,
      [JSON.stringify(told)],
    );
    const noted = new Set(rows.map((row) => keyOf({ ...row, scheduleId: row.schedule_id })));
    return outcomes.filter((outcome) => noted.has(keyOf(outcome)));
  }

  /** Runs that ended longer ago than `ageMs` leave, at most `limit`; true when there may be more. */
  async deleteOld(ageMs: number, limit: number): Promise<boolean> {
    const { affected } = await this.#database.query(sql.deleteOldRuns, [ageMs, limit]);
    return affected === limit;
  }
}

function keyOf({ scheduleId, at, kind }: Pick<DueRun, 'scheduleId' | 'at' | 'kind'>): string {
  return `${scheduleId} ${at.getTime()} ${kind}`;
}
