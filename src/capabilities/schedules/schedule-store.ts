import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isUuid, newId, type Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { jsonForm } from '../../messages/json-form.ts';
import type { Viewer } from '../../http/operator.ts';
import { invalidRequest } from '../../http/request-faults.ts';
import { type Schedule, scheduleOf, type ScheduleRow, type ScheduleSource } from './schedule.ts';
import { type ScheduleDefinition, storedDefinition } from './schedule-definition.ts';
import { scheduleErrors } from './schedule-errors.ts';
import type { ScheduleSettings } from './schedule-settings.ts';
import * as sql from './schedule-sql.ts';
import { hasSameTimes, offsetMsOf, timesProblem, timingOf } from './schedule-timing.ts';
import { timeAfter } from './timing/timing.ts';

/** Who does it, and why. */
export interface ScheduleOrderBy {
  readonly actor: string;
  readonly reason: string;
}

/** A schedule that is to be made or replaced. */
export interface ScheduleOrder {
  readonly name: string;
  readonly source: ScheduleSource;
  readonly definition: ScheduleDefinition;
}

export interface SchedulePlace {
  readonly team: string;
  readonly name: string;
}

export interface ScheduleStoreOptions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly bounds: Pick<ScheduleSettings, 'max' | 'maxPerTeam' | 'shortestIntervalSeconds'>;
}

const maxDefinitionBytes = 262_144;

type Action = 'create' | 'replace' | 'pause' | 'resume' | 'delete' | 'run';

/** Schedules in the ledger: each change in one transaction with its entry in the audit. */
export class ScheduleStore {
  readonly #options: ScheduleStoreOptions;
  /** The creation before, until it has ended. */
  #creating: Promise<void> = Promise.resolve();

  constructor(options: ScheduleStoreOptions) {
    this.#options = options;
  }

  /** The schedule of an id, or of a name; undefined when the viewer has none. Throws MILLRACE_REQUEST_INVALID for a name of several teams. */
  async find(reference: string, { team }: Viewer): Promise<Schedule | undefined> {
    const { database } = this.#options;
    if (isUuid(reference)) {
      const { rows } = await database.query<ScheduleRow>(sql.findSchedule, [reference, team]);
      return rows[0] && scheduleOf(rows[0]);
    }
    const { rows } = await database.query<ScheduleRow>(sql.findScheduleByName, [reference, team]);
    if (rows.length > 1)
      throw invalidRequest([{ field: 'id', problem: 'names schedules of several teams: give the id' }]);
    return rows[0] && scheduleOf(rows[0]);
  }

  /** A page, by team and name. */
  async list({ team }: Viewer, limit: number, after?: SchedulePlace): Promise<readonly Schedule[]> {
    const { rows } = await this.#options.database.query<ScheduleRow>(sql.listSchedules, [
      team,
      after?.team ?? '',
      after?.name ?? '',
      limit,
    ]);
    return rows.map((row) => scheduleOf(row));
  }

  async listConfigured(): Promise<readonly Schedule[]> {
    const { rows } = await this.#options.database.query<ScheduleRow>(sql.listConfigured);
    return rows.map((row) => scheduleOf(row));
  }

  /**
   * Makes a schedule; the same one sent again is the one that is there. Throws MILLRACE_REQUEST_INVALID, MILLRACE_SCHEDULE_EXISTS and
   * MILLRACE_SCHEDULE_LIMIT.
   */
  async create(
    { name, source, definition }: ScheduleOrder,
    by: ScheduleOrderBy,
  ): Promise<{ readonly schedule: Schedule; readonly isNew: boolean }> {
    const { database, bounds } = this.#options;
    const stored = storable(definition);
    const { team, customer } = definition.message.origin;
    return await this.#oneAtATime(() =>
      database.transaction(async (transaction) => {
        await transaction.query(sql.lockSchedules);
        const present = await oneOf(transaction, sql.findOfTeam, [team, name]);
        if (present !== undefined) {
          if (present.source === source && storable(present.definition) === stored)
            return { schedule: present, isNew: false };
          throw new AppError(
            scheduleErrors.MILLRACE_SCHEDULE_EXISTS,
            `The team "${team}" has another schedule "${name}".`,
          );
        }
        const { rows } = await transaction.query<{ total: number; of_team: number }>(sql.countSchedules, [
          team,
        ]);
        const { total = 0, of_team: ofTeam = 0 } = rows[0] ?? {};
        if (total >= bounds.max || ofTeam >= bounds.maxPerTeam)
          throw tooMany(ofTeam >= bounds.maxPerTeam, team);
        const now = this.#options.clock.now();
        const id = newId(now);
        const times = this.#timesOf(id, definition, now, now);
        const schedule = await oneOf(transaction, sql.insertSchedule, [
          id,
          team,
          name,
          source,
          stored,
          customer,
          times.fromAt,
          times.nextAt,
          times.dueAt,
          by.actor,
          definition.overlap,
          offsetMsOf(id, definition),
        ]);
        invariant(schedule !== undefined, 'an inserted row is answered');
        await this.#record(transaction, 'create', schedule, by);
        return { schedule, isNew: true };
      }),
    );
  }

  /**
   * Replaces all that a schedule says. Where its times stay the same, those that are due or to come are not touched; otherwise they are
   * those from now on. Throws MILLRACE_NOT_FOUND, MILLRACE_REQUEST_INVALID, MILLRACE_SCHEDULE_EXISTS and MILLRACE_SCHEDULE_CONFIGURED.
   */
  async replace(
    id: Uuid,
    { name, source, definition }: ScheduleOrder,
    by: ScheduleOrderBy,
  ): Promise<Schedule> {
    return await this.#change(id, 'replace', by, async (transaction, present) => {
      const { team, customer } = definition.message.origin;
      if (present.source !== source) throw configured(present);
      if (team !== present.team)
        throw invalidRequest([
          { field: 'message.origin.team', problem: 'stays the same: make another schedule' },
        ]);
      if (name !== present.name && (await oneOf(transaction, sql.findOfTeam, [team, name])) !== undefined)
        throw new AppError(
          scheduleErrors.MILLRACE_SCHEDULE_EXISTS,
          `The team "${team}" has another schedule "${name}".`,
        );
      const now = this.#options.clock.now();
      const isSame = hasSameTimes(present.definition, definition);
      const times = isSame
        ? this.#unchangedTimes(present)
        : this.#timesOf(id, definition, now, now, present.pausedAt !== undefined);
      return await oneOf(transaction, sql.replaceSchedule, [
        id,
        storable(definition),
        customer,
        times.fromAt,
        times.nextAt,
        times.dueAt,
        by.actor,
        name,
        definition.overlap,
        offsetMsOf(id, definition),
      ]);
    });
  }

  /** No time of it runs until it is resumed. Throws MILLRACE_NOT_FOUND and MILLRACE_SCHEDULE_STATE. */
  async pause(id: Uuid, by: ScheduleOrderBy): Promise<Schedule> {
    return await this.#change(id, 'pause', by, async (transaction, present) => {
      if (present.pausedAt !== undefined) throw wrongState(present, 'is paused already');
      return await oneOf(transaction, sql.pauseSchedule, [id, by.actor]);
    });
  }

  /** It goes on with its first time from now on: none that was in the pause is missed. Throws the same. */
  async resume(id: Uuid, by: ScheduleOrderBy): Promise<Schedule> {
    return await this.#change(id, 'resume', by, async (transaction, present) => {
      if (present.pausedAt === undefined) throw wrongState(present, 'is not paused');
      const nextMs = timeAfter(
        timingOf(present.definition, present.fromAt),
        this.#options.clock.now().getTime(),
      );
      const { nextAt, dueAt } = timeColumns(present.id, present.definition, nextMs);
      return await oneOf(transaction, sql.resumeSchedule, [id, nextAt, dueAt]);
    });
  }

  /** Deletes it with its runs; messages that were admitted go on. Throws MILLRACE_NOT_FOUND and MILLRACE_SCHEDULE_CONFIGURED. */
  async delete(id: Uuid, source: ScheduleSource, by: ScheduleOrderBy): Promise<Schedule> {
    return await this.#change(id, 'delete', by, async (transaction, present) => {
      if (present.source !== source) throw configured(present);
      return await oneOf(transaction, sql.deleteSchedule, [id]);
    });
  }

  /** Does something else to a schedule, with its entry in the audit. Throws MILLRACE_NOT_FOUND. */
  async act(
    id: Uuid,
    action: 'run',
    by: ScheduleOrderBy,
    work: (transaction: SqlExecutor, schedule: Schedule) => Promise<void>,
  ): Promise<Schedule> {
    return await this.#change(id, action, by, async (transaction, present) => {
      await work(transaction, present);
      return present;
    });
  }

  /** Those who wait for the lock do not hold the connections of this process meanwhile. */
  async #oneAtATime<Result>(work: () => Promise<Result>): Promise<Result> {
    const before = this.#creating;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#creating = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }

  async #change(
    id: Uuid,
    action: Action,
    by: ScheduleOrderBy,
    act: (transaction: SqlExecutor, present: Schedule) => Promise<Schedule | undefined>,
  ): Promise<Schedule> {
    return await this.#options.database.transaction(async (transaction) => {
      const present = await oneOf(transaction, sql.lockSchedule, [id]);
      if (present === undefined) throw new AppError('MILLRACE_NOT_FOUND', `There is no schedule ${id}.`);
      const changed = await act(transaction, present);
      invariant(changed !== undefined, 'a locked row is changed');
      await this.#record(transaction, action, changed, by);
      return changed;
    });
  }

  async #record(
    transaction: SqlExecutor,
    action: Action,
    { id, team, name, source, definition }: Schedule,
    { actor, reason }: ScheduleOrderBy,
  ): Promise<void> {
    const { message, description: _text, ...rules } = definition;
    const { type, schemaVersion, origin } = message;
    const { customer, feature } = origin;
    // What is free text, or data, stays out: the audit is kept for ever.
    const detail =
      action === 'create' || action === 'replace'
        ? { source, ...rules, type, schemaVersion, team, customer, feature }
        : { source };
    await transaction.query(sql.recordScheduleAction, [
      newId(this.#options.clock.now()),
      actor,
      `schedules.${action}`,
      `schedule ${name} (${id})`,
      JSON.stringify(detail),
      reason,
      team,
    ]);
  }

  #timesOf(id: Uuid, definition: ScheduleDefinition, fromAt: Date, now: Date, isPaused = false) {
    const from = definition.startAt === undefined ? fromAt : new Date(definition.startAt);
    const fault = timesProblem(definition, from, now, this.#options.bounds.shortestIntervalSeconds * 1000);
    if (fault !== undefined) throw invalidRequest([fault]);
    const nextMs = isPaused ? undefined : timeAfter(timingOf(definition, from), now.getTime());
    return { fromAt: from, ...timeColumns(id, definition, nextMs) };
  }

  #unchangedTimes({ id, definition, fromAt, nextAt }: Schedule) {
    return { fromAt, ...timeColumns(id, definition, nextAt?.getTime()) };
  }
}

/** The next time of a schedule, and when it is due. */
export function timeColumns(
  id: Uuid,
  definition: Pick<ScheduleDefinition, 'jitter'>,
  nextMs: number | undefined,
): { readonly nextAt: Date | null; readonly dueAt: Date | null } {
  if (nextMs === undefined) return { nextAt: null, dueAt: null };
  return { nextAt: new Date(nextMs), dueAt: new Date(nextMs + offsetMsOf(id, definition)) };
}

async function oneOf(
  executor: SqlExecutor,
  statement: Parameters<SqlExecutor['query']>[0],
  parameters: readonly unknown[],
): Promise<Schedule | undefined> {
  const { rows } = await executor.query<ScheduleRow>(statement, parameters);
  return rows[0] && scheduleOf(rows[0]);
}

/** The definition as the ledger keeps it. Throws MILLRACE_REQUEST_INVALID for data that JSON does not carry, or that is too large. */
function storable(definition: ScheduleDefinition): string {
  const form = jsonForm(definition.message.data);
  if (form.kind === 'faults')
    throw invalidRequest(form.faults.map(({ field, problem }) => ({ field: `message.${field}`, problem })));
  const stored = storedDefinition({ ...definition, message: { ...definition.message, data: form.value } });
  if (Buffer.byteLength(stored) > maxDefinitionBytes)
    throw invalidRequest([
      { field: 'message.data', problem: `a schedule has at most ${maxDefinitionBytes} bytes` },
    ]);
  return stored;
}

function tooMany(isOfTeam: boolean, team: string): AppError {
  return new AppError(
    scheduleErrors.MILLRACE_SCHEDULE_LIMIT,
    isOfTeam
      ? `The team "${team}" has as many schedules as a team may have.`
      : 'There are as many schedules as there may be.',
  );
}

function configured({ name, source }: Schedule): AppError {
  return source === 'configuration'
    ? new AppError(
        scheduleErrors.MILLRACE_SCHEDULE_CONFIGURED,
        `The schedule "${name}" is one of the configuration.`,
      )
    : new AppError(
        scheduleErrors.MILLRACE_SCHEDULE_EXISTS,
        `The schedule "${name}" was made by an operator.`,
      );
}

function wrongState({ name }: Schedule, problem: string): AppError {
  return new AppError(scheduleErrors.MILLRACE_SCHEDULE_STATE, `The schedule "${name}" ${problem}.`);
}
