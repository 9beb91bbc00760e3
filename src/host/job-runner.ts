import { BackgroundJob, type TurnEnd } from '../kernel/background-job.ts';
import type { Clock } from '../kernel/clock.ts';
import type { JobName } from './closed-names.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';

/** Makes the loop of a background job, which tells the log and the metrics how its turns end. */
export type MakeBackgroundJob = (
  name: JobName,
  intervalMs: number,
  turn: (signal: AbortSignal) => Promise<boolean>,
) => BackgroundJob;

interface Tellers {
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}

/** While a background job goes on failing, it says so at the first failure and then this often: some have five turns a second. */
const sayEveryMs = 10_000;

/** The one place where the end of a background job's turn is logged: a failure that lasts must reach an operator. */
export function backgroundJobReporter(job: JobName, { logger, metrics }: Tellers): (end: TurnEnd) => void {
  metrics.initialise('background_failures_total', [{ background_job: job }]);
  metrics.initialise('background_failing_seconds', [{ background_job: job }]);
  let said: { readonly atMs: number; suppressed: number } | undefined;
  return (end) => {
    if (end.kind === 'succeeded') {
      metrics.set('background_failing_seconds', { background_job: job }, 0);
      said = undefined;
      return;
    }
    const { error, failingMs } = end;
    metrics.increment('background_failures_total', { background_job: job });
    metrics.set('background_failing_seconds', { background_job: job }, failingMs / 1000);
    if (said !== undefined && failingMs - said.atMs < sayEveryMs) {
      said.suppressed += 1;
      return;
    }
    const suppressed = said?.suppressed ?? 0;
    said = { atMs: failingMs, suppressed: 0 };
    logger.error({ error, job, failingMs, suppressed }, 'a background job failed; it goes on');
  };
}

/** Makes background jobs that tell how their turns end. */
export function backgroundJobMaker({
  clock,
  ...tellers
}: Tellers & { readonly clock: Clock }): MakeBackgroundJob {
  return (job, intervalMs, turn) =>
    new BackgroundJob({ clock, intervalMs, turn, onTurnEnd: backgroundJobReporter(job, tellers) });
}
