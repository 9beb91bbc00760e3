import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LeaseRenewer } from './lease-renewer.ts';
import type { MessageRunner } from './message-runner.ts';
import type { StageWorker } from './stage-worker.ts';

/*
 * The end of the workers of a host, bounded whatever handlers do:
 *
 *   at once                      nothing new begins; what was claimed and has not begun is released
 *   the grace less its last part handlers are stopped by their signal, and their requests to models are cut and settled
 *   the grace                    handlers that did not come back are left behind, and their messages released
 *   a second later               nobody waits any more, for the ledger either: leases that were not given back run out
 *
 * A handler that was left behind has no lease that counts: whatever it answers, emits or asks of a model changes nothing.
 */

/** How long before the end of the grace the signals of handlers abort. */
const toldBeforeMs = 5000;
/** For short graces: the part of it. */
const toldBeforeShare = 0.25;
/** For the ledger to take back what was not done. */
const releaseMs = 1000;

export interface StopWorkersOptions {
  readonly workers: readonly Pick<StageWorker, 'stop'>[];
  readonly runner: Pick<MessageRunner, 'beginStop' | 'leaveHandlers'>;
  readonly renewer: Pick<LeaseRenewer, 'abortAll' | 'all'>;
  /** How long handlers may go on. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Resolves when the workers have ended, or nobody waits for them any more. */
export async function stopWorkers(options: StopWorkersOptions): Promise<void> {
  const { workers, runner, renewer, graceMs, clock, logger } = options;
  const ended = new AbortController();
  /** False when the workers have ended before. */
  const waited = (delayMs: number): Promise<boolean> =>
    clock.sleep(delayMs, ended.signal).then(
      () => true,
      () => false,
    );
  const isLeftBehind = async (): Promise<boolean> => {
    const toldBefore = Math.min(toldBeforeMs, graceMs * toldBeforeShare);
    if (!(await waited(graceMs - toldBefore))) return false;
    renewer.abortAll(new AppError('MILLRACE_LEASE_EXPIRED', 'The host stops and the grace time is over'));
    if (!(await waited(toldBefore))) return false;
    runner.leaveHandlers();
    return waited(releaseMs);
  };
  runner.beginStop();
  const stopped = Promise.all(workers.map((worker) => worker.stop())).then(() => false);
  const gaveUp = await Promise.race([stopped, isLeftBehind()]);
  ended.abort(new Error('the workers have ended'));
  if (!gaveUp) return;
  // What happened to the rest concerns nobody here; a worker's failures are logged by itself.
  stopped.catch(() => undefined);
  logger.warn(
    { graceMs, messages: renewer.all().map(({ id }) => id) },
    'the workers did not end in time; the leases of what they worked on run out',
  );
}
