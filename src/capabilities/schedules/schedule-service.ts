import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Admissions } from '../../engine/pipeline/admissions.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Operator, Viewer } from '../../http/operator.ts';
import type { RunLedger } from './run-ledger.ts';
import { listRuns } from './run-sql.ts';
import type { Schedule } from './schedule.ts';
import {
  type AskedRun,
  nextTimesOf,
  runDocument,
  type RunRow,
  type ScheduleDetail,
  type ScheduleDocument,
  scheduleDocument,
  type ScheduleList,
} from './schedule-documents.ts';
import type { ScheduleDefinition } from './schedule-definition.ts';
import { scheduleErrors } from './schedule-errors.ts';
import { storedMessage } from './schedule-message.ts';
import { placeText, type ScheduleRequest } from './schedule-requests.ts';
import type { SchedulePlace, ScheduleStore } from './schedule-store.ts';

export interface ScheduleServiceOptions {
  readonly store: ScheduleStore;
  readonly runs: Pick<RunLedger, 'addManual'>;
  readonly database: SqlDatabase;
  readonly clock: Clock;
  /** Checks what a schedule sends. A command knows no stages: its schedules are checked when they run. */
  readonly admissions?: Pick<Admissions, 'checkData'>;
}

/** How a schedule is shown. */
export interface ScheduleView {
  readonly nextTimes: number;
  readonly runs: number;
  readonly showsData: boolean;
}

const withoutReason = 'no reason was given';
const hidden = { showsData: false } as const;

/** Schedules for those who make and watch them. With a team, those of other teams are not there. */
export class ScheduleService {
  readonly #options: ScheduleServiceOptions;

  constructor(options: ScheduleServiceOptions) {
    this.#options = options;
  }

  async list(
    viewer: Viewer,
    { limit, after }: { readonly limit: number; readonly after?: SchedulePlace | undefined },
  ): Promise<ScheduleList> {
    const found = await this.#options.store.list(viewer, limit + 1, after);
    const shown = found.slice(0, limit);
    const last = found.length > limit ? shown.at(-1) : undefined;
    return {
      schedules: shown.map((schedule) => scheduleDocument(schedule, hidden)),
      ...(last === undefined ? {} : { next: placeText(last) }),
    };
  }

  /** Throws MILLRACE_NOT_FOUND. */
  async show(
    reference: string,
    viewer: Viewer,
    { nextTimes, runs, showsData }: ScheduleView,
  ): Promise<ScheduleDetail> {
    const { database, clock } = this.#options;
    const schedule = await this.#get(reference, viewer);
    const { rows } = await database.query<RunRow>(listRuns, [schedule.id, runs]);
    return {
      ...scheduleDocument(schedule, { showsData }),
      nextTimes: [...nextTimesOf(schedule, clock.now(), nextTimes)],
      runs: rows.map((row) => runDocument(row)),
    };
  }

  /** Throws MILLRACE_FORBIDDEN, what the check of a message throws, and what the store throws. */
  async create(
    request: ScheduleRequest,
    operator: Operator,
  ): Promise<{ readonly schedule: ScheduleDocument; readonly isNew: boolean }> {
    const { name, reason, ...definition } = request;
    this.#check(definition, operator);
    const order = { name, source: 'operator', definition } as const;
    const { schedule, isNew } = await this.#options.store.create(order, {
      actor: operator.actor,
      reason: reason ?? withoutReason,
    });
    return { schedule: scheduleDocument(schedule, hidden), isNew };
  }

  /** Throws MILLRACE_NOT_FOUND and what `create` throws. */
  async replace(reference: string, request: ScheduleRequest, operator: Operator): Promise<ScheduleDocument> {
    const { name, reason, ...definition } = request;
    const { id } = await this.#get(reference, operator);
    this.#check(definition, operator);
    const by = { actor: operator.actor, reason: reason ?? withoutReason };
    const replaced = await this.#options.store.replace(id, { name, source: 'operator', definition }, by);
    return scheduleDocument(replaced, hidden);
  }

  /** Makes a schedule, or replaces that of the team and name. Throws what these throw. */
  async set(
    request: ScheduleRequest,
    operator: Operator,
  ): Promise<{ readonly schedule: ScheduleDocument; readonly done: 'Made' | 'Replaced' | 'Unchanged' }> {
    const { team } = request.message.origin;
    const present = await this.#options.store.find(request.name, { team });
    if (present !== undefined)
      return { schedule: await this.replace(present.id, request, operator), done: 'Replaced' };
    const { schedule, isNew } = await this.create(request, operator);
    return { schedule, done: isNew ? 'Made' : 'Unchanged' };
  }

  async pause(reference: string, reason: string, operator: Operator): Promise<ScheduleDocument> {
    const { id } = await this.#get(reference, operator);
    return scheduleDocument(await this.#options.store.pause(id, { actor: operator.actor, reason }), hidden);
  }

  async resume(reference: string, reason: string, operator: Operator): Promise<ScheduleDocument> {
    const { id } = await this.#get(reference, operator);
    return scheduleDocument(await this.#options.store.resume(id, { actor: operator.actor, reason }), hidden);
  }

  async delete(reference: string, reason: string, operator: Operator): Promise<ScheduleDocument> {
    const { id } = await this.#get(reference, operator);
    const by = { actor: operator.actor, reason };
    return scheduleDocument(await this.#options.store.delete(id, 'operator', by), hidden);
  }

  /** Runs it once now, also while it is paused or the run before is under way; its times stay as they are. */
  async run(reference: string, reason: string, operator: Operator): Promise<AskedRun> {
    const { store, runs } = this.#options;
    const { id } = await this.#get(reference, operator);
    let at: Date | undefined;
    await store.act(id, 'run', { actor: operator.actor, reason }, async (transaction, schedule) => {
      at = await runs.addManual(transaction, id, storedMessage(schedule.name, schedule.definition));
      if (at === undefined)
        throw new AppError(
          scheduleErrors.MILLRACE_SCHEDULE_STATE,
          `A run of the schedule "${schedule.name}" was asked for in this moment.`,
        );
    });
    invariant(at !== undefined, 'a run that was asked for has its time');
    return { scheduleId: id, at: at.toISOString() };
  }

  async #get(reference: string, viewer: Viewer): Promise<Schedule> {
    const found = await this.#options.store.find(reference, viewer);
    if (found !== undefined) return found;
    throw new AppError(
      'MILLRACE_NOT_FOUND',
      `There is no schedule ${JSON.stringify(reference.slice(0, 100))}.`,
    );
  }

  #check({ message }: Pick<ScheduleDefinition, 'message'>, { team }: Operator): void {
    const { type, schemaVersion, data, origin } = message;
    if (team !== undefined && team !== origin.team) {
      throw new AppError(
        'MILLRACE_FORBIDDEN',
        `This API key belongs to the team "${team}" and cannot be used for another.`,
      );
    }
    this.#options.admissions?.checkData({ typeName: type, version: schemaVersion, data });
  }
}
