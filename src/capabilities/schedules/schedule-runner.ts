import type { Admissions } from '../../engine/pipeline/admissions.ts';
import { AppError } from '../../kernel/app-error.ts';
import { cut } from '../../kernel/fault.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { DueRun, DueSchedule, PlannedSchedule, RunLedger, RunOutcome } from './run-ledger.ts';
import { messageOfRun, storedMessage } from './schedule-message.ts';
import type { ScheduleMetrics } from './schedule-metrics.ts';
import { timeColumns } from './schedule-store.ts';
import { offsetMsOf, timingOf } from './schedule-timing.ts';
import { graceMs, planRuns } from './timing/plan-runs.ts';

export interface ScheduleRunnerOptions {
  readonly ledger: RunLedger;
  readonly admissions: Pick<Admissions, 'admitUnchecked'>;
  readonly logger: Logger;
  readonly metrics: ScheduleMetrics;
}

/** How many schedules, and how many runs, one turn works off. */
const sliceSize = 200;
/** When a run is tried again whose message could not be admitted for a reason that passes, and for how long it is. */
const againInMs = 10_000;
const triedForMs = 600_000;
const maxDetailCharacters = 1000;

/**
 * Runs schedules: plans what is due, and admits the messages of what is planned (see run-sql.ts). Any number of processes may do it, and
 * any of them may die between two lines; one does, so that they do not get in each other's way. One schedule's trouble is its own.
 */
export class ScheduleRunner {
  readonly #options: ScheduleRunnerOptions;

  constructor(options: ScheduleRunnerOptions) {
    this.#options = options;
  }

  /** One turn. True when there is more to do at once. */
  async turn(): Promise<boolean> {
    const hasMorePlanned = await this.#planSome();
    const hasMoreStarted = await this.#startSome();
    return hasMorePlanned || hasMoreStarted;
  }

  async #planSome(): Promise<boolean> {
    const { ledger, metrics } = this.#options;
    const due = await ledger.listDueSchedules(sliceSize);
    if (due.length === 0) return false;
    const planned = due.map((schedule) => planOf(schedule));
    const mine = await ledger.plan(planned);
    for (const { schedule, missed } of planned) {
      if (missed === undefined || !mine.has(schedule.id)) continue;
      metrics.increment('schedule_runs_total', { result: 'missed' }, missed.count);
    }
    return due.length === sliceSize;
  }

  async #startSome(): Promise<boolean> {
    const { ledger } = this.#options;
    const due = await ledger.listDueRuns(sliceSize);
    if (due.length === 0) return false;
    const now = firstOfEach(due);
    const outcomes = await Promise.all(now.map((run) => this.#start(run)));
    const noted = await ledger.record(outcomes);
    this.#count(noted, due);
    return due.length === sliceSize || now.length < due.length;
  }

  async #start(run: DueRun): Promise<RunOutcome> {
    const { scheduleId, at, kind } = run;
    if (run.skipsOverlap && run.isPreviousOpen && kind === 'scheduled')
      return { scheduleId, at, kind, state: 'skipped' };
    try {
      const { sent, options } = messageOfRun(run.message, run);
      const { messageIds } = await this.#options.admissions.admitUnchecked(sent, options);
      return { scheduleId, at, kind, state: 'started', messageIds };
    } catch (error) {
      return { scheduleId, at, kind, ...this.#afterFailure(run, error) };
    }
  }

  #afterFailure(run: DueRun, error: unknown) {
    const { logger } = this.#options;
    const known = error instanceof AppError ? error : undefined;
    const mayPass = known === undefined || known.retryable;
    const context = { error, scheduleId: run.scheduleId, at: run.at };
    if (mayPass && run.nowMs - run.plannedAt.getTime() < triedForMs) {
      logger.warn(context, 'the message of a schedule could not be admitted; it is tried again');
      return { state: 'due', againInMs } as const;
    }
    logger.warn(context, 'the message of a schedule was refused');
    const detail = cut(known?.message ?? 'It failed otherwise than by being refused.', maxDetailCharacters);
    return {
      state: 'failed',
      errorCode: known?.code ?? 'MILLRACE_INTERNAL',
      detail: isStorableText(detail) ? detail : 'The refusal names characters that are not shown.',
    } as const;
  }

  #count(noted: readonly RunOutcome[], due: readonly DueRun[]): void {
    const { metrics } = this.#options;
    const runs = new Map(due.map((run) => [keyOf(run), run]));
    for (const outcome of noted) {
      if (outcome.state === 'due') continue;
      metrics.increment('schedule_runs_total', { result: outcome.state });
      const run = runs.get(keyOf(outcome));
      if (outcome.state !== 'started' || run === undefined || run.kind === 'manual') continue;
      const lagMs = run.nowMs - run.at.getTime() - run.offsetMs;
      if (lagMs <= graceMs) metrics.observe('schedule_lag_seconds', {}, Math.max(0, lagMs) / 1000);
    }
  }
}

/** What is to be done with a schedule whose time has come. */
function planOf(schedule: DueSchedule): PlannedSchedule {
  const { id, name, definition, fromAt, nextAt, nowMs } = schedule;
  const timing = timingOf(definition, fromAt);
  // A time counts as come when it is due, which the jitter makes later for all times alike.
  const untilMs = nowMs - offsetMsOf(id, definition);
  const plan = planRuns(timing, definition, nextAt.getTime(), untilMs);
  const message = storedMessage(name, definition);
  return {
    schedule,
    runs: plan.runs.map((atMs) => ({ atMs, message })),
    missed: plan.missed,
    ...timeColumns(id, definition, plan.nextMs),
  };
}

/** Of a schedule whose runs must not overlap the first only: whether the next may begin is known when that has. */
function firstOfEach(due: readonly DueRun[]): readonly DueRun[] {
  const seen = new Set<string>();
  return due.filter(({ scheduleId, skipsOverlap }) => {
    if (!skipsOverlap) return true;
    if (seen.has(scheduleId)) return false;
    seen.add(scheduleId);
    return true;
  });
}

function keyOf({ scheduleId, at, kind }: Pick<DueRun, 'scheduleId' | 'at' | 'kind'>): string {
  return `${scheduleId} ${at.getTime()} ${kind}`;
}
